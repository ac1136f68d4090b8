"""`ordain change`: what waits for others' approval."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console

from api.cli.change_text import change_lines, changes_table
from api.cli.client import Client
from api.cli.connection import Speaker, ask, speaker_options
from api.cli.refusals import Refused

SHORTEST = 8
"""Of a digest that is given by its beginning."""
WAIT_SECONDS = 30
STATES = ("open", "merged", "closed", "any")

Answer = dict[str, Any]


@click.group()
def change() -> None:
    """Look at, approve, merge and close the changes that wait for approval."""


@change.command("list")
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True)
@click.option("--project", metavar="PROJECT", help="Only those asked for in this project.")
@click.option("--author", metavar="USER", help="Only those of this person.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@speaker_options
def list_(
    speaker: Speaker,
    state: str,
    project: str | None,
    author: str | None,
    limit: int,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """List changes, newest first."""
    wanted = {"state": state, "project": project, "author": author, "limit": limit}
    query = {name: value for name, value in wanted.items() if value is not None}
    found = ask(speaker, lambda client: client.get("/api/v1/changes", **query))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _terminal().print(changes_table(found["items"]) if found["items"] else f"no changes ({state})")
    if found["next"]:
        click.echo(f"more than {limit}: --limit shows up to 200")


@change.command()
@click.argument("id")
@click.option("--diff", is_flag=True, help="Show also what differs line by line.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@speaker_options
def show(speaker: Speaker, id: str, diff: bool, as_json: bool) -> None:  # noqa: A002, FBT001 - click's names
    """Show what a change would do to main as it is now, and what it lacks."""
    found = _get(speaker, id)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print(found, diff=diff)


@change.command()
@click.argument("id")
@click.option("--plan", "read", metavar="DIGEST", help="The plan that was read, as `show` names it; else it is asked.")
@speaker_options
def approve(speaker: Speaker, id: str, read: str | None) -> None:  # noqa: A002 - click's name
    """Say yes to the plan of another person's change.

    The yes is for the plan that was read, and for no other: it falls when the change is updated, or when main moves
    such that the plan is another one.
    """
    found = _get(speaker, id)
    digest = _read_digest(found, read)
    answer = ask(speaker, lambda client: client.post(f"{_path(id)}:approve", {"digest": digest}, wait=WAIT_SECONDS))
    left = answer["change"]["missing"]
    if answer["merge"]:
        click.echo(f"approved; {_outcome(answer['merge'])}")
    elif left:
        click.echo(f"approved; {left} more to approve")
    else:
        click.echo(f"approved; merge it: ordain change merge {id}")


@change.command()
@click.argument("id")
@speaker_options
def merge(speaker: Speaker, id: str) -> None:  # noqa: A002 - click's name
    """Write an approved change to main, as one commit of its author."""
    _end(speaker, id, "merge")


@change.command()
@click.argument("id")
@speaker_options
def close(speaker: Speaker, id: str) -> None:  # noqa: A002 - click's name
    """End a change without merging it."""
    _end(speaker, id, "close")


def _end(speaker: Speaker, change_id: str, deed: str) -> None:
    """Ask for the end of the change as it is now."""

    async def asking(client: Client) -> Any:
        found = await client.get(_path(change_id))
        return await client.post(f"{_path(change_id)}:{deed}", {"head": found["head"]}, wait=WAIT_SECONDS)

    click.echo(_outcome(ask(speaker, asking)))


def _outcome(answer: Answer) -> str:
    match answer["state"]:
        case "committed":
            return f"merged as commit {answer['commit']}"
        case "closed":
            return "closed"
    return f"asked for; request {answer['request']} is not answered yet"


def _read_digest(found: Answer, read: str | None) -> str:
    """Return the digest of the plan as it is now, if it is the one that was read; without one, show it and ask."""
    digest = found["digest"]
    if digest is None:
        raise Refused(f"change {found['id']} is {found['state']}")
    if read is not None:
        if len(read) < SHORTEST or not digest.startswith(read):
            raise Refused(f"the plan is {digest[:12]} now, not {read}: look at it again with `ordain change show`")
        return str(digest)
    if not sys.stdin.isatty():
        raise click.UsageError("name the plan that was read, by --plan")
    _print(found, diff=False)
    click.confirm("Approve this plan?", abort=True)
    return str(digest)


def _get(speaker: Speaker, change_id: str) -> Answer:
    found: Answer = ask(speaker, lambda client: client.get(_path(change_id)))
    return found


def _path(change_id: str) -> str:
    return f"/api/v1/changes/{change_id}"


def _print(found: Answer, *, diff: bool) -> None:
    console = _terminal()
    for each in change_lines(found, diff=diff):
        console.print(each, crop=False, highlight=False)


def _terminal() -> Console:
    """Return where to print: 80 columns wide, or as wide as the terminal is."""
    return Console(width=None if sys.stdout.isatty() else 80)
