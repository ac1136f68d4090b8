"""The command `ordain render`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from api.cli import rendering
from api.cli.arguments import FOLDER, REF
from api.cli.refusals import readable
from reconciler.memory import without_collection


@click.command()
@click.argument("directory", type=FOLDER, default=".", metavar="[DIR]")
@click.option("--cluster", metavar="NAME", help="Render for this cluster only.")
@click.option("--intent", metavar="PATH", help="Render only what this intent itself stands for.")
@click.option("--ref", type=REF, metavar="REF", help="Render this commit, not the files of the folder.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write DIR/<cluster>/….")
def render(directory: Path, cluster: str | None, intent: str | None, ref: str | None, out: Path | None) -> None:
    """Print the manifests of the repository of intents in DIR, or write them into a folder.

    DIR holds platform/, tenants/ and templates/, or is a bare git repository. A folder gets for each cluster what its
    branch rendered/<cluster> would hold; what was rendered into it before is replaced as a whole.
    """
    with without_collection(), readable():
        rendered = rendering.rendered(rendering.state_of(directory, ref), cluster, intent)
        if out is None:
            rendering.to_stream(rendered, sys.stdout.buffer)
        else:
            rendering.to_folder(rendered, out)
