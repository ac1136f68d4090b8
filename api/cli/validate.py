"""`ordain validate`: everything that is wrong with a repository of intents, or with a change of it."""

from __future__ import annotations

import os
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.memory import without_collection
from api.cli.refusals import Unreadable, readable

if TYPE_CHECKING:  # loaded when the command is called: other commands start without them
    from api.composition.snapshots import Sight
    from intents.authority import Principal
    from intents.problems import Problem
    from reconciler.planning.validation import Question
    from renderers.crds import CrdSet

FORMATS = ("text", "json", "sarif", "github")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
PUSHERS = ("GL_USERNAME", "GITEA_PUSHER_NAME", "REMOTE_USER")
"""Where GitLab, Gitea and git's own HTTP backend tell a hook who pushes."""
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""As libyaml counts lines."""


@click.command()
@click.argument("directory", type=FOLDER, default=".", metavar="[DIR]")
@click.option("--ref", metavar="REF", help="Look at this commit, not at the files of the folder.")
@click.option("--base", metavar="REF", help="Look at the change since this commit as well.")
@click.option("--changed-only", is_flag=True, help="Tell only what the change does wrong.")
@click.option("--stdin", "hook", is_flag=True, help="Be git's hook pre-receive: `<old> <new> <ref>` a line.")
@click.option("--as", "who", metavar="USER[,GROUP…]", help="Check that this person may make the change.")
@click.option("--crds", type=FOLDER, metavar="DIR", help="Hold manifests against the definitions in DIR, strictly.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def validate(
    directory: Path,
    ref: str | None,
    base: str | None,
    changed_only: bool,  # noqa: FBT001 - click passes flags so
    hook: bool,  # noqa: FBT001
    who: str | None,
    crds: Path | None,
    form: str,
) -> None:
    """Tell what is wrong with the repository of intents in DIR, or with a change of it.

    DIR holds platform/, tenants/ and templates/, or is a bare git repository. Ends with 0 where nothing is wrong, with
    1 where there are problems, and with 2 where it cannot be read. Warnings refuse nothing.
    """
    if hook and (ref or base):
        raise click.UsageError("--stdin says which commits a push is about: leave --ref and --base out.")
    if (changed_only or who) and not (hook or base):
        raise click.UsageError("--changed-only and --as are about a change: say since when, by --base.")
    from api.composition import snapshots  # noqa: PLC0415 - as above

    began = time.perf_counter()
    with without_collection(), readable():
        sight = snapshots.push(directory, sys.stdin.buffer) if hook else snapshots.sight(directory, ref, base)
        if sight is None:
            click.echo("nothing is pushed to the branch of the intents")
            return
        question = _question(sight, _principal(who, of_push=hook), only_changed=changed_only)
        problems = _problems(question, _definitions(crds) if crds else None)
        _tell(question, problems, form, directory, began)


def _question(sight: Sight, principal: Principal | None, *, only_changed: bool) -> Question:
    from reconciler.planning.validation import Question  # noqa: PLC0415 - as above

    before, after = sight.states()
    return Question(after, sight.body, before, only_changed, principal, sight.beside)


def _problems(question: Question, crds: CrdSet | None) -> tuple[Problem, ...]:
    from intents.problems import Severity  # noqa: PLC0415 - as above
    from reconciler.planning import validation  # noqa: PLC0415

    problems = validation.validate(question)
    if crds is None or any(each.severity is Severity.ERROR for each in problems):
        return problems
    from reconciler.planning.manifest_validation import validate_manifests  # noqa: PLC0415 - with renderers

    return validation.in_order((*problems, *validate_manifests(question, crds)))


def _tell(question: Question, problems: tuple[Problem, ...], form: str, directory: Path, began: float) -> None:
    """Print the report and end with its exit code."""
    from api.cli.report import Form, Report  # noqa: PLC0415 - as above
    from api.cli.report_forms import FORMS  # noqa: PLC0415
    from reconciler.planning.validation import left_open  # noqa: PLC0415

    intents, seconds, line = len(question.head.tree), time.perf_counter() - began, partial(_line, question)
    report = Report(intents, problems, seconds, line, left_open(question), _root(directory))
    click.echo(FORMS[Form(form)](report), color=False if os.environ.get("NO_COLOR") else None)
    if report.errors:
        raise SystemExit(1)


def _principal(who: str | None, *, of_push: bool) -> Principal | None:
    """Return who asks for the change: as the caller says, or else as the server says that runs git's hook."""
    from intents.authority import Principal  # noqa: PLC0415 - as above

    said = who or next((os.environ[name] for name in PUSHERS if of_push and os.environ.get(name)), "")
    user, *groups = said.split(",")
    return Principal(user, frozenset(groups)) if user else None


def _definitions(folder: Path) -> CrdSet:
    from renderers.crds import CrdSet, NoDefinition  # noqa: PLC0415 - as above

    try:
        files = (file for file in sorted(folder.rglob("*")) if file.suffix in {".yaml", ".yml"})
        return CrdSet.load(file.read_bytes() for file in files)
    except (NoDefinition, OSError) as error:
        raise Unreadable(f"the definitions in {folder} cannot be read: {error}") from error


def _line(question: Question, path: str, number: int) -> str:
    """Return a line of a file, with what libyaml counts as lines."""
    if path not in question.head.blobs:
        return ""
    lines = LINE_BREAK.split(question.body(path).decode("utf-8", "replace"))
    return lines[number - 1] if number <= len(lines) else ""


def _root(directory: Path) -> str:
    """Return how the folder is called from here: nothing where it is this folder."""
    root = directory.as_posix()
    return "" if root == "." else f"{root.removesuffix('/')}/"
