"""One command's connection to a platform, and how it ends: readably, with an exit code by what happens next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import NoReturn

import click

from api.cli.conflicts import conflict_lines
from api.cli.given import Given
from api.cli.refusals import Exit
from api.cli.report_text import coloured
from api.client import Ambiguous, Asking, Client, ClientError, Conflict, Reference, State, Unavailable, Written
from api.client.references import kind_named
from api.problem_text import problem_lines, shown
from intents.authority import FACTS, written_by
from intents.identity import identify
from intents.kinds.base import Kind
from intents.problems import InvalidIntent, Problem

TENANT_REQUIRED = "tenant-required"
NO_TENANT = "which tenant? say it by -t TENANT, or in ORDAIN_TENANT"
TOKEN = "ORDAIN_TOKEN"  # noqa: S105 - the name of a variable; in its environment no other user sees it
"""The bearer token for an edge that asks for one."""
SHORT = 12
"""Characters of a commit id that people are shown."""

wait_option = click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Come back when it is committed, or when it is durable."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the plan: what it would do. Nothing is written.")


@dataclass(frozen=True)
class Session:
    """A command's connection, and the files that it is about."""

    client: Client
    command: Callable[..., str]
    """Returns a command that asks the same platform, to be typed as it is."""
    given: dict[str, Given] = field(default_factory=dict)
    """What the person gave, by the path it is meant for: problems are shown at its lines."""


@dataclass(frozen=True)
class Advice:
    """What a person can do that only the command knows."""

    unavailable: str
    """Where the platform does not answer; may be empty."""
    no_tenant: str
    """Where the bare host asks for a tenant."""


@contextmanager
def ended_readably(session: Session, refused: Exit, advice: Advice) -> Iterator[None]:
    """Say what went wrong and end the command."""
    try:
        yield
    except (Ambiguous, InvalidIntent) as error:
        raise click.UsageError(_first_line(error)) from error
    except Conflict as conflict:
        _end(conflict_lines(session.client, conflict, session.given, session.command), Exit.CONFLICT)
    except Unavailable as unavailable:
        unknown = "whether it was taken is not known: look, or ask again" if unavailable.key else ""
        _end(filter(None, [_line(unavailable), advice.unavailable or unknown]), Exit.UNAVAILABLE)
    except ClientError as error:
        if error.code == TENANT_REQUIRED:
            raise click.UsageError(advice.no_tenant) from error
        _end(_told(error, session), refused)


def _first_line(error: Ambiguous | InvalidIntent) -> str:
    return error.problems[0].message if isinstance(error, InvalidIntent) else str(error)


def _told(error: ClientError, session: Session) -> Iterator[str]:
    """Yield each problem with its place, then what came of it; blank lines between them."""
    blocks = [list(_problem(problem, session)) for problem in error.problems]
    if error.detail not in {problem.message for problem in error.problems}:
        blocks.append([_line(error)])
    if error.status == HTTPStatus.UNAUTHORIZED:
        blocks[-1].append(f"  {click.style('hint', fg='cyan')}: say who you are by a token, in {TOKEN}")
    for number, block in enumerate(blocks):
        yield from [""] * bool(number)
        yield from block


def _problem(problem: Problem, session: Session) -> Iterator[str]:
    given = session.given.get(problem.path)
    if given:
        return given.told(problem)
    return problem_lines(replace(problem, path=problem.path or problem.field or "request"), _no_line, style=coloured)


def _line(error: ClientError) -> str:
    return f"ordain: {shown(error.detail)}"


def _no_line(_path: str, _number: int) -> str:
    return ""


def _end(lines: Iterator[str] | Sequence[str], code: Exit) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    raise SystemExit(code)


def reference_of(words: Sequence[str], form: str = "KIND/NAME") -> Reference:
    """Read `KIND/NAME`, or `KIND NAME`. Raises UsageError."""
    if len(words) not in {1, 2}:
        raise click.UsageError(f"say which: {form}")
    try:
        return Reference.parse("/".join(words))
    except Ambiguous as error:
        raise click.UsageError(str(error)) from error


def kind_of(word: str) -> Kind:
    """Return the kind that is called so. Raises UsageError."""
    try:
        return kind_named(word)
    except Ambiguous as error:
        raise click.UsageError(str(error)) from error


def refuse_facts(reference: Reference) -> None:
    """Refuse what no person may write. Raises UsageError."""
    if reference.kind in FACTS:
        raise click.UsageError(f"{reference} is written by {written_by(reference.kind)}")


def asking_of(*, wait: bool) -> Asking:
    """Return how a write is asked for."""
    return Asking(waiting=_still_waiting) if wait else Asking(wait=0)


def _still_waiting(written: Written) -> None:
    click.echo(f"request {written.request} is durable; waiting for its commit", err=True)


def say_written(session: Session, what: str, did: str, written: Written, *, wait: bool) -> None:
    """Say what became of a write; one that should be committed by now and is not ends the command."""
    match written.state:
        case State.COMMITTED:
            click.echo(f"{what} {did} in {str(written.commit)[:SHORT]}")
        case State.PROPOSED:
            click.echo(f"{what} waits for approval: `{session.command('change show', str(written.change))}`")
        case State.WAITING if not wait:
            click.echo(f"{what} is asked for by request {written.request}")
        case _:
            late = f"{what} is durable as request {written.request}, and not committed yet: it will be"
            _end([late], Exit.UNAVAILABLE)


def name_of(path: str) -> str:
    """Return how people name what lies at a path."""
    identity = identify(path)
    return str(Reference.of(identity)) if identity else path
