"""`ordain diff`: what differs between two versions of an intent, or between a file and what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from api.cli.folders import folder_of
from api.cli.given import FILE, given
from api.cli.refusals import Exit
from api.cli.remote import Remote, asks_platform
from api.cli.session import SHORT, Session, reference_of
from api.cli.versions import commit_of, one_before, path_with_history
from api.client import Reference
from api.line_diff import unified
from api.problem_text import shown

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("what", nargs=-1, metavar="[KIND/NAME]")
@click.option("-f", "--file", "source", type=FILE, help="Compare what is there with this file or folder.")
@click.option("--from", "before", metavar="COMMIT", help="The older version.  [default: the one before]")
@click.option("--to", "after", metavar="COMMIT", help="The newer version.  [default: the newest]")
@asks_platform
def diff(remote: Remote, what: Sequence[str], source: Path | None, before: str | None, after: str | None) -> None:
    """Show what differs, line by line: what the newest commit changed, unless other versions or a file are named.

    Ends with 0 where nothing differs, with 1 where something does, and with 2 or more where that is not known.
    """
    if source is not None and (before or after):
        raise click.UsageError("a file is compared with what is there now: leave --from and --to out")
    folder = source if source is not None and source.is_dir() else None
    if folder and what:
        raise click.UsageError("the paths in a folder are the names: leave KIND/NAME out")
    reference = None if folder else reference_of(what)
    with remote.session(reference.kind if reference else None, refused=Exit.USAGE) as session:
        if folder:
            text = _folder(session, folder, remote.project)
        elif reference and source:
            text = _file(session, reference, source)
        elif reference:
            text = _versions(session, reference, before, after)
    for line in text.splitlines():
        click.echo(click.style(shown(line), fg=_COLOURS.get(line[:1])))
    raise SystemExit(Exit.REFUSED if text else 0)


def _folder(session: Session, folder: Path, project: str | None) -> str:
    found = folder_of(session, folder, project)
    return "".join(
        _against(session, write.path, str(folder / write.path), found.given[write.path].content)
        for write in found.writes
        if write.path in found.given
    )


def _file(session: Session, reference: Reference, source: Path) -> str:
    document = given(source)
    return _against(session, session.client.new_path(reference), document.file, document.content)


def _against(session: Session, path: str, file: str, content: bytes) -> str:
    """Return what leads from what is there to a file."""
    there = session.client.intents.find(path)
    was = f"{path}@{there.commit[:SHORT]}" if there else "/dev/null"
    return unified(there.content if there else b"", content, was, file)


def _versions(session: Session, reference: Reference, before: str | None, after: str | None) -> str:
    path = path_with_history(session, reference)
    newer = commit_of(session, path, after) if after else None
    older = commit_of(session, path, before) if before else one_before(session, path, newer)
    return session.client.intents.diff(path, older, newer).text
