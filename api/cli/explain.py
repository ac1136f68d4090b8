"""`ordain explain`: what a kind or a field means, in the terminal."""

from __future__ import annotations

import shutil
import sys

import click

from api.cli.refusals import refused
from intents import explaining


@click.command()
@click.argument("what", metavar="[KIND[.FIELD…]]", default="")
@click.option("--recursive", is_flag=True, help="Show the fields of the fields as well.")
def explain(what: str, recursive: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Say what a kind of intent or one of its fields is for.

    Without a name: every kind, where it lies and who writes it. The place a problem names, such as
    `ModelDeployment.spec.versions.0.model`, can be given as it is.
    """
    if not what:
        click.echo(explaining.overview())
        return
    name, *path = what.split(".")
    with refused(explaining.NothingToExplain):
        field = explaining.explain(explaining.kind_of(name), tuple(path))
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(explaining.to_text(field, recursive=recursive, width=width))
