"""Conflicts as people see them: what changed there since they read, what they change, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice, takewhile

import click
from pydantic import JsonValue

from api.cli.given import Given
from api.cli.tables import age, columns, terminal_width
from api.client import Client, ClientError, Conflict, Disputed, Reference
from api.client.views import FieldDifference, Version
from api.problem_text import shown
from intents.composing import compose
from intents.identity import identify

MOST_COMMITS = 200
"""That are looked through for the version that was read."""
_LONGEST_VALUE = 40


def conflict_lines(
    client: Client, conflict: Conflict, given: Mapping[str, Given], command: Callable[..., str]
) -> Iterator[str]:
    """Yield what to tell of a conflict; what cannot be found out about it is left out.

    `command` returns a command that asks the same platform.
    """
    for disputed in conflict.disputed:
        yield from _lines(client, disputed, given.get(disputed.path), command)


def _lines(client: Client, disputed: Disputed, given: Given | None, command: Callable[..., str]) -> Iterator[str]:
    identity = identify(disputed.path)
    what = str(Reference.of(identity)) if identity else disputed.path
    title = click.style(f"conflict: {what} {_what_happened(disputed)}", fg="red", bold=True)
    yield f"{title}; nothing was written"
    with suppress(ClientError):  # the conflict is told all the same
        yield from _since(client, disputed)
    first, *others = _advice(what, disputed, given, command)
    yield f"  {click.style('hint', fg='cyan')}: {first}"
    yield from (f"        {line}" for line in others)


def _what_happened(disputed: Disputed) -> str:
    if disputed.theirs is None:
        return "is gone since you read it"
    return "is there already" if disputed.base is None else "changed since you read it"


def _advice(what: str, disputed: Disputed, given: Given | None, command: Callable[..., str]) -> Sequence[str]:
    if disputed.theirs is None:
        return (f"`{command('history', what)}` has who removed it; ask again to bring it back",)
    if given is None or given.base(disputed.path) is None:
        return (f"look at `{command('diff', what)}`, then ask again",)
    return (
        "make your change in what is there now, and apply that:",
        f"  {command('get', what, '-o yaml')} > FILE",
        f"or overwrite it: remove the first line of {given.file}",
    )


def _since(client: Client, disputed: Disputed) -> Iterator[str]:
    """Yield the commits since the version that was read, and which fields they and the person changed."""
    history = list(islice(client.intents.history(disputed.path), MOST_COMMITS))
    newer = list(takewhile(lambda each: each.blob != disputed.base, history))
    yield from (f"  {line}" for line in columns([_commit(each) for each in newer], terminal_width()))
    if len(newer) == len(history) or disputed.theirs is None:
        return
    base = client.intents.get(disputed.path, history[len(newer)].commit)
    theirs = _fields(base.document, disputed.theirs.content)
    yours = _fields(base.document, disputed.yours.content) if disputed.yours else ()
    both = {field.path for field in yours for other in theirs if _meet(field.path, other.path)}
    both |= {field.path for field in theirs for other in yours if _meet(field.path, other.path)}
    yield from _told("changed there:", theirs, both)
    yield from _told("changed by you:", yours, both)
    if both:
        yield "  ! both changed these"


def _commit(version: Version) -> tuple[str, ...]:
    return version.commit[:12], age(version.at, datetime.now(UTC)), shown(version.by), shown(version.subject)


def _fields(base: JsonValue, content: str) -> Sequence[FieldDifference]:
    from reconciler.planning.plan.diff import differences  # noqa: PLC0415 - it loads all that plans are made by

    found = differences(base, compose(content.encode()).value)
    return [FieldDifference(change=each.change, path=each.path, before=each.before, after=each.after) for each in found]


def _meet(one: str, other: str) -> bool:
    """Whether one field is the other, or lies in it."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) :][:1] in {"", ".", "["}


def _told(title: str, fields: Sequence[FieldDifference], both: set[str]) -> Iterator[str]:
    if fields:
        yield f"  {title}"
    for field in fields:
        mark = "!" if field.path in both else " "
        yield f"  {mark} {shown(field.path)}: {_value(field.before)} → {_value(field.after)}"


def _value(value: JsonValue) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return shown(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…")
