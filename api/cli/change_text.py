"""Changes as people read them in a terminal; nothing in them is taken for markup or for an escape sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from api.cli.plan_text import PlanText
from api.client import ChangeState, Disputed
from api.client.plans import ChangeDetail
from api.client.views import ChangeItem
from api.line_diff import unified
from reconciler.planning.plan.wording import plural, printable

STATE_STYLES = {ChangeState.OPEN: "yellow", ChangeState.MERGED: "green", ChangeState.CLOSED: "dim"}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def changes_table(items: Iterable[ChangeItem]) -> Table:
    """Return changes, one a line or a few."""
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "opened", "author", "subject"):
        table.add_column(name, overflow="fold", no_wrap=name in {"id", "state", "opened"})
    for each in items:
        table.add_row(
            Text(each.id),
            Text(_state(each), STATE_STYLES[each.state]),
            Text(_time(each.opened_at)),
            _plain(each.author),
            _plain(each.subject),
        )
    return table


def _state(item: ChangeItem) -> str:
    if item.state is not ChangeState.OPEN or not item.approved_by:
        return item.state
    return f"open, {plural(len(item.approved_by), 'approval')}"


def change_lines(found: ChangeDetail, *, diff: bool) -> Iterator[RenderableType]:
    """Yield a change: what it is, what it lacks, what it would do."""
    is_open = found.state is ChangeState.OPEN
    yield Text.assemble((f"Change {found.id}", "bold"), "  ", (found.state, STATE_STYLES[found.state]))
    yield from map(_line, _facts(found))
    if is_open:
        yield from map(_line, _lacks(found))
        yield from (_conflict(each) for each in found.conflicts)
    if found.plan is not None:
        yield Text()
        yield PlanText(found.plan)
    if diff or found.plan is None:
        for each in found.writes:
            yield Text()
            yield _diff(each.diff)


def _facts(found: ChangeDetail) -> Iterator[tuple[str, str]]:
    is_open = found.state is ChangeState.OPEN
    yield "subject", found.subject
    yield "author", found.author
    yield "opened", _time(found.opened_at)
    if found.updated_at != found.opened_at:
        yield ("updated" if is_open else "ended"), _time(found.updated_at)
    if found.ended_by:
        yield f"{found.state} by", found.ended_by
    if found.commit:
        yield "commit", found.commit
    if found.pull_request:
        yield "on forge", found.pull_request
    if found.waits_for:
        yield "forge waits", found.waits_for
    if found.approvals and not is_open:
        yield "approved by", ", ".join(each.approver for each in found.approvals)


def _lacks(found: ChangeDetail) -> Iterator[tuple[str, str]]:
    counted = found.required - found.missing
    yield "approvals", f"{counted} of {found.required}" if found.required else "none needed"
    for each in found.approvals:
        yield "", f"{each.approver}" + (f": fell, {each.fallen}" if each.fallen else "")
    if found.missing:
        people = [each.user or f"group {each.group}" for each in found.approvers]
        yield "ask", ", ".join(people) or "nobody: no one else has the role to approve it"
    if found.merge_when_approved:
        yield "merged", "with the last approval"
    if found.digest:
        yield "plan", found.digest[:12]


def _conflict(conflict: Disputed) -> Text:
    """Return where main is not what the change was written on: what it would undo there."""
    theirs, yours = (side.content.encode() if side else b"" for side in (conflict.theirs, conflict.yours))
    title = Text(f"\nmain moved: {printable(conflict.path)} is not what this was written on\n", "bold red")
    return title + _diff(unified(theirs, yours, "on main now", "in this change"))


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


def _time(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
