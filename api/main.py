"""The command `ordain`, and the processes of the platform."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click

from api.cli.platform import demo, down, root_option, status, up
from reconciler.services.layout import Layout
from reconciler.services.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ordain")
def main() -> None:
    """A multi-tenant machine-learning platform where every request is a commit."""


@main.command(hidden=True)
@click.argument("name", type=click.Choice(["api", "writer", "reconciler"]))
@root_option
def process(name: str, root: Path) -> None:
    """Be one of the platform's own processes; the supervisor starts them."""
    from api import composition  # noqa: PLC0415 - the client commands start without the servers' libraries

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for library in ("httpx", "psycopg.pool"):
        logging.getLogger(library).setLevel(logging.WARNING)
    run = {
        "api": composition.serve_api,
        "writer": composition.run_writer,
        "reconciler": composition.run_reconciler,
    }
    asyncio.run(run[name](Settings.load(Layout(root))))


for command in (up, down, status, demo):
    main.add_command(command)

if __name__ == "__main__":
    main()
