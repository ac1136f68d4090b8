"""`ordain delete`: an intent goes; its history stays."""

from __future__ import annotations

from collections.abc import Sequence

import click

from api.cli.dry_run import show_plan
from api.cli.get import found
from api.cli.remote import Remote, asks_platform
from api.cli.session import (
    asking_of,
    dry_run_option,
    reference_of,
    refuse_facts,
    say_written,
    wait_option,
)
from api.client import Write
from api.client.references import VERSIONED


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="KIND/NAME")
@dry_run_option
@wait_option
@asks_platform
def delete(remote: Remote, what: Sequence[str], dry_run: bool, wait: bool) -> None:  # noqa: FBT001
    """Remove an intent; with a deployment goes its rollout. `ordain revert` brings it back.

    Ends as `ordain apply` does.
    """
    reference = reference_of(what)
    refuse_facts(reference)
    if reference.kind in VERSIONED and not reference.version:
        raise click.UsageError(f"which version of {reference}? write {reference}@VERSION")
    with remote.session(reference.kind) as session:
        intent = found(session, reference)
        if dry_run:
            show_plan(session, [Write(intent.path, None, intent.blob)])
            return
        written = session.client.intents.delete(intent.path, expects=intent.blob, asking=asking_of(wait=wait))
        say_written(session, str(reference), "deleted", written, wait=wait)
