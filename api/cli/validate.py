"""The command `ordain validate`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from api.cli import validating
from api.cli.arguments import FOLDER, PERSON, REF
from api.cli.refusals import readable
from api.cli.report import Form
from api.cli.report_forms import FORMS
from reconciler.memory import without_collection


@click.command()
@click.argument("directory", type=FOLDER, default=".", metavar="[DIR]")
@click.option("--ref", type=REF, metavar="REF", help="Look at this commit, not at the files of the folder.")
@click.option("--base", type=REF, metavar="REF", help="Look at the change since this commit as well.")
@click.option("--changed-only", is_flag=True, help="Tell only what the change does wrong.")
@click.option("--stdin", "hook", is_flag=True, help="Be git's hook pre-receive: `<old> <new> <ref>` a line.")
@click.option("--as", "who", type=PERSON, metavar="USER[,GROUP…]", help="Check that this person may make the change.")
@click.option("--crds", type=FOLDER, metavar="DIR", help="Hold manifests against the definitions in DIR, strictly.")
@click.option("--format", "form", type=click.Choice([each.value for each in Form]), default="text", show_default=True)
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

    began = time.perf_counter()
    with without_collection(), readable():
        definitions = validating.definitions_in(crds) if crds else None
        if hook:
            question = validating.of_push(directory, who, only_changed=changed_only)
        else:
            question = validating.of_files(directory, ref, base, who, only_changed=changed_only)
        if question is None:
            click.echo("nothing is pushed to the branch of the intents")
            return
        problems = validating.problems_of(question, definitions)
        report = validating.report_of(question, problems, time.perf_counter() - began, _root(directory))
        click.echo(FORMS[Form(form)](report), color=False if os.environ.get("NO_COLOR") else None)
    if report.errors:
        raise SystemExit(1)


def _root(directory: Path) -> str:
    """Return how the folder is called from here: nothing where it is this folder."""
    root = directory.as_posix()
    return "" if root == "." else f"{root.removesuffix('/')}/"
