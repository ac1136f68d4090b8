"""`ordain change`: what waits for others' approval."""

from __future__ import annotations

import json
import sys
from itertools import islice
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel
from rich.console import Console

from api.cli.refusals import Refused
from api.cli.remote import Remote, asks_platform
from api.client import Asking, ChangeState, State, Written

if TYPE_CHECKING:  # it loads all that plans are made by
    from api.client.plans import ChangeDetail

SHORTEST = 8
"""Of a digest that is given by its beginning."""
ANY_STATE = "any"
ASKING = Asking(wait=30)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def change() -> None:
    """Look at, approve, merge and close the changes that wait for approval."""


@change.command("list")
@click.option("--state", type=click.Choice([*ChangeState, ANY_STATE]), default=ChangeState.OPEN, show_default=True)
@click.option("--author", metavar="USER", help="Only those of this person.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@as_json
@asks_platform
def list_(remote: Remote, state: str, author: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """List changes, newest first; with -n, those that were asked for in that project."""
    wanted = None if state == ANY_STATE else ChangeState(state)
    with remote.session() as session:
        found = list(islice(session.client.changes.list(wanted, project=remote.project, author=author), limit + 1))
    if as_json:
        _print_json({"items": [_plain(each) for each in found[:limit]]})
        return
    from api.cli.change_text import changes_table  # noqa: PLC0415 - as above

    whose = "" if remote.tenant else " of the platform; a tenant's are listed by -t"
    _terminal().print(changes_table(found[:limit]) if found else f"no changes ({state}){whose}")
    if len(found) > limit:
        click.echo(f"more than {limit}: --limit shows more", err=True)


@change.command()
@click.argument("id")
@click.option("--diff", is_flag=True, help="Show also what differs line by line.")
@as_json
@asks_platform
def show(remote: Remote, id: str, diff: bool, as_json: bool) -> None:  # noqa: A002, FBT001 - click's names
    """Show what a change would do to main as it is now, and what it lacks."""
    with remote.session() as session:
        found = session.client.changes.get(id)
    if as_json:
        _print_json(_plain(found))
    else:
        _print(remote, found, diff=diff)


@change.command()
@click.argument("id")
@click.option("--plan", "read", metavar="DIGEST", help="The plan that was read, as `show` names it; else it is asked.")
@asks_platform
def approve(remote: Remote, id: str, read: str | None) -> None:  # noqa: A002 - click's name
    """Say yes to the plan of another person's change.

    The yes is for the plan that was read, and for no other: it falls when the change is updated, or when main moves
    such that the plan is another one.
    """
    with remote.session() as session:
        digest = _read_digest(remote, session.client.changes.get(id), read)
        answer = session.client.changes.approve(id, digest, asking=ASKING)
    if answer.merge:
        click.echo(f"approved; {_outcome(answer.merge)}")
    elif answer.change.missing:
        click.echo(f"approved; {answer.change.missing} more to approve")
    else:
        click.echo(f"approved; merge it: {remote.command('change merge', id)}")


@change.command()
@click.argument("id")
@asks_platform
def merge(remote: Remote, id: str) -> None:  # noqa: A002 - click's name
    """Write an approved change to main, as one commit of its author."""
    with remote.session() as session:
        changes = session.client.changes
        written = changes.merge(id, changes.get(id).head, asking=ASKING)
    click.echo(_outcome(written))


@change.command()
@click.argument("id")
@asks_platform
def close(remote: Remote, id: str) -> None:  # noqa: A002 - click's name
    """End a change without merging it."""
    with remote.session() as session:
        changes = session.client.changes
        written = changes.close(id, changes.get(id).head, asking=ASKING)
    click.echo(_outcome(written))


def _outcome(written: Written) -> str:
    match written.state:
        case State.COMMITTED:
            return f"merged as commit {written.commit}"
        case State.CLOSED:
            return "closed"
    return f"asked for; request {written.request} is not answered yet"


def _read_digest(remote: Remote, found: ChangeDetail, read: str | None) -> str:
    """Return the digest of the plan as it is now, if it is the one that was read; without one, show it and ask."""
    if found.digest is None:
        raise Refused(f"change {found.id} is {found.state}")
    if read is not None:
        if len(read) < SHORTEST or not found.digest.startswith(read):
            raise Refused(
                f"the plan is {found.digest[:12]} now, not {read}: look at it again with `ordain change show`"
            )
        return found.digest
    if not sys.stdin.isatty():
        raise click.UsageError("name the plan that was read, by --plan")
    _print(remote, found, diff=False)
    click.confirm("Approve this plan?", abort=True)
    return found.digest


def _print(remote: Remote, found: ChangeDetail, *, diff: bool) -> None:
    from api.cli.change_text import change_lines  # noqa: PLC0415 - it loads all that plans are made by

    console = _terminal()
    for each in change_lines(found, diff=diff):
        console.print(each, crop=False, highlight=False)
    if found.state is ChangeState.OPEN and found.missing and found.digest:
        yes = remote.command("change approve", found.id, "--plan", found.digest[:12])
        console.print(f"\napprove it: {yes}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _plain(found: BaseModel) -> dict[str, object]:
    return found.model_dump(mode="json")


def _print_json(document: dict[str, object]) -> None:
    click.echo(json.dumps(document, indent=2))


def _terminal() -> Console:
    """Return where to print: 80 columns wide, or as wide as the terminal is."""
    return Console(width=None if sys.stdout.isatty() else 80)
