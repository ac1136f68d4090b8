"""`ordain apply`: intents as they are to be, from a file or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from api.cli.dry_run import show_plan
from api.cli.folders import Folder, folder_of
from api.cli.given import FILE, Given, given
from api.cli.remote import Remote, asks_platform
from api.cli.session import (
    Session,
    asking_of,
    dry_run_option,
    name_of,
    reference_of,
    refuse_facts,
    say_written,
    wait_option,
)
from api.client import ABSENT, Reference
from intents.identity import path_of
from intents.kinds.base import Kind


@click.command()
@click.argument("what", nargs=-1, metavar="[KIND/NAME]")
@click.option(
    "-f", "--file", "source", type=FILE, required=True, help="A document, `-` for standard input; or a folder."
)
@dry_run_option
@wait_option
@asks_platform
def apply(remote: Remote, what: Sequence[str], source: Path, dry_run: bool, wait: bool) -> None:  # noqa: FBT001
    """Commit an intent as it is in a file, or all of a folder that is laid out as the repository.

    An intent carries no name, so say which it is: `ordain apply run/train-7 -f train.yaml`. Of a folder only what
    differs is written, all in one commit or nothing; what is not in the folder stays. A file that `ordain get -o yaml`
    wrote is only applied where nobody has changed the intent since.

    Ends with 0 where it is committed, or there as it is; with 1 where it is refused, with 3 where somebody changed it
    meanwhile, and with 4 where the platform does not answer.
    """
    if source.is_dir():
        if what:
            raise click.UsageError("the paths in a folder are the names: leave KIND/NAME out")
        _apply_folder(remote, source, dry_run=dry_run, wait=wait)
        return
    reference = reference_of(what, "KIND/NAME; an intent in a file carries no name")
    refuse_facts(reference)
    with remote.session(reference.kind) as session:
        _apply_one(session, reference, source, dry_run=dry_run, wait=wait)


def _apply_one(session: Session, reference: Reference, source: Path, *, dry_run: bool, wait: bool) -> None:
    document = given(source)
    path = _place(session, reference, document)
    session.given[path] = document
    there = session.client.intents.find(path)
    write = document.write(path, there.blob if there else None)
    if write is None:
        click.echo(f"{reference} unchanged")
    elif dry_run:
        show_plan(session, [write])
    else:
        asking = asking_of(wait=wait)
        written = session.client.intents.put(path, document.content, expects=write.expects, asking=asking)
        say_written(session, str(reference), "created" if written.created else "changed", written, wait=wait)


def _place(session: Session, reference: Reference, document: Given) -> str:
    """Return where an intent lies or shall lie; a run lies where it was read, also when it is gone by now."""
    client, read = session.client, document.read_from
    if read is None or reference.kind is not Kind.RUN or Reference.of(read) != reference:
        return client.new_path(reference)
    is_here = (read.tenant, read.project) == (client.tenant, client.project)
    return path_of(read) if is_here else client.new_path(reference)


def _apply_folder(remote: Remote, source: Path, *, dry_run: bool, wait: bool) -> None:
    with remote.session() as session:
        folder = folder_of(session, source, remote.project)
        for line in folder.left_out_lines():
            click.echo(line, err=True)
        if not folder.writes:
            click.echo(f"{folder.unchanged} unchanged")
        elif dry_run:
            show_plan(session, folder.writes)
        else:
            _write(session, folder, wait=wait)


def _write(session: Session, folder: Folder, *, wait: bool) -> None:
    written = session.client.intents.change(folder.writes, asking=asking_of(wait=wait))
    for write in folder.writes:
        click.echo(f"{name_of(write.path)} {'to be created' if write.expects == ABSENT else 'to be changed'}")
    say_written(session, f"{len(folder.writes)} changed, {folder.unchanged} unchanged;", "written", written, wait=wait)
