"""The command `ordain`, and the processes of the platform."""

from __future__ import annotations

import errno
import io
import logging
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.root import root_option, target_options

if TYPE_CHECKING:
    from reconciler.services.settings import Settings
    from reconciler.services.target import Target

COMMANDS = {
    "up": "api.cli.platform",
    "down": "api.cli.platform",
    "status": "api.cli.platform",
    "demo": "api.cli.platform",
    "get": "api.cli.get",
    "apply": "api.cli.apply",
    "delete": "api.cli.delete",
    "history": "api.cli.history",
    "diff": "api.cli.diff",
    "revert": "api.cli.revert",
    "adopt": "api.cli.rebuild",
    "change": "api.cli.change",
    "explain": "api.cli.explain",
    "install": "api.cli.install",
    "new": "api.cli.new",
    "plan": "api.cli.plan",
    "rebuild": "api.cli.rebuild",
    "render": "api.cli.render",
    "schema": "api.cli.schema",
    "validate": "api.cli.validate",
}
"""Modules of the commands; each is imported when its command is called, and starts without the others' libraries."""


INTERRUPTED = 130
"""How a shell says that Ctrl-C ended a command; 1 would be taken for problems that were found."""


class Commands(click.Group):
    """The group of `COMMANDS`, in the order they are listed. Whatever the machine refuses them is told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        _let_every_character_be_written()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # of `| head`, which click ends in silence
                raise
            raise _Denied(error) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(name for name in super().list_commands(ctx) if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


class _Denied(click.ClickException):
    """The machine does not let a file, or the output, be read or written."""

    exit_code = 2

    def __init__(self, error: OSError) -> None:
        where = f"{error.filename}: " if error.filename else ""
        super().__init__(f"{where}{error.strerror or error}")


def _let_every_character_be_written() -> None:
    """Escape what the terminal's encoding lacks: a plan has arrows, and tenants write in every script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ordain")
def main() -> None:
    """A multi-tenant machine-learning platform where every request is a commit."""


@main.command(hidden=True)
@click.argument("name", type=click.Choice(["api", "writer", "reconciler"]))
@root_option
@target_options
def process(name: str, root: Path, target: Target) -> None:
    """Be one of the platform's own processes; the supervisor starts them."""
    import uvloop  # noqa: PLC0415 - commands start without it

    from reconciler.services.layout import Layout  # noqa: PLC0415
    from reconciler.services.settings import Settings  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for library in ("httpx", "psycopg.pool"):
        logging.getLogger(library).setLevel(logging.WARNING)
    uvloop.run(_entry(name, target)(Settings.load(Layout(root))))


def _entry(name: str, target: Target) -> Callable[[Settings], Coroutine[Any, Any, None]]:
    """Return what a process runs; each imports its own libraries and no other's."""
    match name:
        case "api":
            from api.composition.api import serve_api  # noqa: PLC0415

            return partial(serve_api, target=target)
        case "writer":
            from api.composition.writer import run_writer as entry  # noqa: PLC0415
        case _:
            from api.composition.reconciler import run_reconciler  # noqa: PLC0415

            return partial(run_reconciler, target=target)
    return entry


if __name__ == "__main__":
    main()
