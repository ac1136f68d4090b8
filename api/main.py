"""The command `ordain`, and the processes of the platform."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from api.cli.explain import explain
from api.cli.plan import plan
from api.cli.platform import demo, down, root_option, status, up
from api.cli.schema import schema
from api.cli.validate import validate
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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for library in ("httpx", "psycopg.pool"):
        logging.getLogger(library).setLevel(logging.WARNING)
    asyncio.run(_entry(name)(Settings.load(Layout(root))))


def _entry(name: str) -> Callable[[Settings], Coroutine[Any, Any, None]]:
    """Return what a process runs; each imports its own libraries and no other's."""
    match name:
        case "api":
            from api.composition.api import serve_api as entry  # noqa: PLC0415
        case "writer":
            from api.composition.writer import run_writer as entry  # noqa: PLC0415
        case _:
            from api.composition.reconciler import run_reconciler as entry  # noqa: PLC0415
    return entry


for command in (up, down, status, demo, explain, schema, validate, plan):
    main.add_command(command)

if __name__ == "__main__":
    main()
