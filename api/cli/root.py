"""Which repository a command is about."""

from __future__ import annotations

from pathlib import Path

import click

root_option = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
    default=".",
    show_default="this folder",
    help="The folder with platform/, tenants/ and templates/; state goes to .ordain/ below it.",
)
