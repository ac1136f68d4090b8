"""`ordain schema export`: the JSON Schemas of the kinds, for editors and other tools."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.refusals import refused
from intents import explaining, schemas
from intents.kinds import Kind


@click.group()
def schema() -> None:
    """The JSON Schemas of the kinds."""


@schema.command()
@click.argument("kind", required=False)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Write a file a kind into DIR.", metavar="DIR"
)
def export(kind: str | None, out: Path | None) -> None:
    """Print the JSON Schema of KIND, or write those of all kinds into a folder.

    Intents name theirs in their first line, `# yaml-language-server: $schema=…`, by its place in
    platform/schemas/.
    """
    if kind is None and out is None:
        raise click.UsageError("Name a KIND to print, or give --out DIR for all of them.")
    with refused(explaining.NothingToExplain):
        wanted = [explaining.kind_of(kind)] if kind else list(Kind)
    for each in wanted:
        text = schemas.rendered(schemas.schema(each))
        if out is None:
            click.echo(text, nl=False)
        else:
            out.mkdir(parents=True, exist_ok=True)
            (out / schemas.file_name(each)).write_text(text, encoding="utf-8")
