"""`ordain revert`: an older version of an intent, written anew."""

from __future__ import annotations

from collections.abc import Sequence

import click

from api.cli.dry_run import show_plan
from api.cli.remote import Remote, asks_platform
from api.cli.session import (
    SHORT,
    Session,
    asking_of,
    dry_run_option,
    reference_of,
    refuse_facts,
    say_written,
    wait_option,
)
from api.cli.versions import commit_of, one_before, path_with_history
from api.client import ABSENT, NotFound, Reference, Write


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="KIND/NAME")
@click.option(
    "--to", metavar="COMMIT", help="The version to go back to, of `ordain history`.  [default: the one before]"
)
@dry_run_option
@wait_option
@asks_platform
def revert(remote: Remote, what: Sequence[str], to: str | None, dry_run: bool, wait: bool) -> None:  # noqa: FBT001
    """Write an intent as it was at a commit, in a commit of its own; also one that is gone.

    Ends as `ordain apply` does.
    """
    reference = reference_of(what)
    refuse_facts(reference)
    with remote.session(reference.kind) as session:
        _revert(session, reference, to, dry_run=dry_run, wait=wait)


def _revert(session: Session, reference: Reference, to: str | None, *, dry_run: bool, wait: bool) -> None:
    intents, path = session.client.intents, path_with_history(session, reference)
    commit = commit_of(session, path, to) if to else one_before(session, path)
    old, there = intents.find(path, commit), intents.find(path)
    if old is None:
        removing = session.command("delete", str(reference))
        raise NotFound(f"{reference} was not there at {commit[:SHORT]}; `{removing}` removes it")
    if there and there.blob == old.blob:
        click.echo(f"{reference} unchanged: it is as it was at {commit[:SHORT]}")
        return
    expects = there.blob if there else ABSENT
    if dry_run:
        show_plan(session, [Write(path, old.content.decode(), expects)])
        return
    written = intents.put(path, old.content, expects=expects, asking=asking_of(wait=wait))
    say_written(session, str(reference), f"reverted to {commit[:SHORT]}", written, wait=wait)
