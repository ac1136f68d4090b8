"""Changes as people read them in a terminal; nothing in them is taken for markup or for an escape sequence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from api.cli.plan_text import PlanText
from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.wording import plural, printable

STATE_STYLES = {"open": "yellow", "merged": "green", "closed": "dim"}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}

Answer = dict[str, Any]


def changes_table(items: Iterable[Answer]) -> Table:
    """Return changes, one a line or a few."""
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "opened", "author", "subject"):
        table.add_column(name, overflow="fold", no_wrap=name in {"id", "state", "opened"})
    for each in items:
        yes = plural(len(each["approved_by"]), "approval")
        state = each["state"] if each["state"] != "open" or not each["approved_by"] else f"open, {yes}"
        table.add_row(
            Text(each["id"]),
            Text(state, STATE_STYLES[each["state"]]),
            Text(_time(each["opened_at"])),
            _plain(each["author"]),
            _plain(each["subject"]),
        )
    return table


def change_lines(found: Answer, *, diff: bool) -> Iterator[RenderableType]:
    """Yield a change: what it is, what it lacks, what it would do."""
    yield Text.assemble((f"Change {found['id']}", "bold"), "  ", (found["state"], STATE_STYLES[found["state"]]))
    yield from map(_line, _facts(found))
    if found["state"] == "open":
        yield from map(_line, _lacks(found))
        yield from (_conflict(each) for each in found["conflicts"])
    if found["plan"] is not None:
        yield Text()
        yield PlanText(TypeAdapter(ChangePlan).validate_python(found["plan"]))
    if diff or found["plan"] is None:
        for each in found["writes"]:
            yield Text()
            yield _diff(each["diff"])
    if found["state"] == "open" and found["missing"]:
        yield Text(f"\napprove it: ordain change approve {found['id']} --plan {found['digest'][:12]}", "dim")


def _facts(found: Answer) -> Iterator[tuple[str, str]]:
    yield "subject", found["subject"]
    yield "author", found["author"]
    yield "opened", _time(found["opened_at"])
    if found["updated_at"] != found["opened_at"]:
        yield ("updated" if found["state"] == "open" else "ended"), _time(found["updated_at"])
    if found["ended_by"]:
        yield f"{found['state']} by", found["ended_by"]
    if found["commit"]:
        yield "commit", found["commit"]
    if found["state"] != "open" and found["approvals"]:
        yield "approved by", ", ".join(each["approver"] for each in found["approvals"])


def _lacks(found: Answer) -> Iterator[tuple[str, str]]:
    counted = found["required"] - found["missing"]
    yield "approvals", f"{counted} of {found['required']}" if found["required"] else "none needed"
    for each in found["approvals"]:
        yield "", f"{each['approver']}" + (f": fell, {each['fallen']}" if each["fallen"] else "")
    if found["missing"]:
        people = [each["user"] or f"group {each['group']}" for each in found["approvers"]]
        yield "ask", ", ".join(people) or "nobody: no one else has the role to approve it"
    if found["merge_when_approved"]:
        yield "merged", "with the last approval"
    if found["digest"]:
        yield "plan", found["digest"][:12]


def _conflict(conflict: Answer) -> Text:
    """Return where main is not what the change was written on: what it would undo there."""
    theirs, yours = ((conflict[side] or {"content": ""})["content"].splitlines() for side in ("theirs", "yours"))
    lines = difflib.unified_diff(theirs, yours, "on main now", "in this change", lineterm="")
    title = Text(f"\nmain moved: {printable(conflict['path'])} is not what this was written on\n", "bold red")
    return title + _diff("".join(f"{line}\n" for line in lines))


def _diff(text: str) -> Text:
    lines = (Text(f"{printable(line)}\n", _DIFF_STYLES.get(line[:1], "")) for line in text.splitlines())
    return Text.assemble(*lines, end="")


def _line(fact: tuple[str, str]) -> Table:
    """Return a line whose value is set in where it is too long."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=13)
    grid.add_column(overflow="fold")
    grid.add_row(Text(f"  {fact[0]}", "dim"), _plain(fact[1]))
    return grid


def _plain(text: str) -> Text:
    return Text(printable(text))


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"
