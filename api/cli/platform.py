"""`ordain up`, `down`, `status` and `demo`: the platform on this machine."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from api.cli.root import root_option, target_options
from api.cli.status_table import notice_line, status_table
from intents.problems import InvalidIntent
from reconciler.ports.errors import Stalled, Waiting
from reconciler.services.control import StartFailed, run_foreground, start_detached, stop
from reconciler.services.layout import Layout
from reconciler.services.lock import AlreadyRunning, supervisor_of
from reconciler.services.settings import NotSetUp, Settings
from reconciler.services.status import collect
from reconciler.services.supervisor import Notice
from reconciler.services.target import ON_THIS_MACHINE, Target

START_SECONDS = 90.0
REFRESH_SECONDS = 1.0
PIPE_WIDTH = 160
READABLE = (AlreadyRunning, StartFailed, NotSetUp, InvalidIntent, PermissionError, Stalled, Waiting)
"""Errors whose message tells a person what to do."""


@click.command()
@click.option("--detach", is_flag=True, help="Come back when every part is ready.")
@root_option
@target_options
def up(root: Path, target: Target, detach: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Start every part of the platform and keep it up; Ctrl-C stops all of it."""
    layout, console = Layout(root), terminal()
    with readable_errors():
        expect_checkout(layout)
        if detach:
            start(layout, console, target)
        else:
            asyncio.run(_stay_up(layout, console, target))


@click.command()
@root_option
def down(root: Path) -> None:
    """Stop the platform and everything that belongs to it; its state stays."""
    stopped = asyncio.run(stop(Layout(root)))
    click.echo("stopped" if stopped.ran else f"nothing runs at {root}")
    if stopped.withdrawn_runs:
        click.echo(f"{stopped.withdrawn_runs} unfinished run(s) begin again, from the first task, with the next `up`")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@root_option
def status(root: Path, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show every part: pid, address, memory, health; exit 1 unless all are ready."""
    found = collect(Layout(root))
    if as_json:
        click.echo(json.dumps(found.to_document(), indent=2))
    else:
        terminal().print(status_table(found, root))
    sys.exit(0 if found.healthy else 1)


@click.command()
@root_option
def demo(root: Path) -> None:
    """Train, register, deploy, answer inferences, roll back, and show the timeline; leaves the platform up."""
    from api.cli.demo import run_demo  # noqa: PLC0415 - `status` needs no HTTP client
    from api.composition.local import base_domain  # noqa: PLC0415 - nor git

    layout, console = Layout(root), terminal()
    with readable_errors():
        expect_checkout(layout)
        if supervisor_of(layout) is None:
            start(layout, console)
        settings = Settings.load(layout)
        sys.exit(run_demo(settings.edge_port, base_domain(layout), console))


def start(layout: Layout, console: Console, target: Target = ON_THIS_MACHINE) -> None:
    """Start the platform as a session of its own and say where everything is."""
    began = time.monotonic()
    argv = (sys.executable, "-m", "api.main", "up", "--root", str(layout.root), *target.words())
    with console.status("starting every part"):
        asyncio.run(start_detached(layout, argv, START_SECONDS))
    console.print(f"ready in {time.monotonic() - began:.1f} s")
    console.print(welcome(layout, Settings.load(layout)), soft_wrap=True)


async def _stay_up(layout: Layout, console: Console, target: Target) -> None:
    """Run the supervisor with a live table; on a pipe or in a log, with a dated line for each change."""
    from api.composition.parts import platform_parts  # noqa: PLC0415 - client commands start without it

    began, parts = time.monotonic(), partial(platform_parts, target=target)
    live = Live(console=console, refresh_per_second=4, transient=True)

    def changed(notice: Notice) -> None:
        at = "" if console.is_terminal else f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} "
        console.print(at + notice_line(notice), soft_wrap=True, highlight=False)

    def ready(settings: Settings) -> None:
        console.print(f"[bold green]ready[/] in {time.monotonic() - began:.1f} s")
        console.print(welcome(layout, settings), soft_wrap=True)

    if not console.is_terminal:
        await run_foreground(layout, parts, changed, ready)
        return
    with live:
        refreshing = asyncio.create_task(_refresh(live, layout))
        try:
            await run_foreground(layout, parts, changed, ready)
        finally:
            refreshing.cancel()


async def _refresh(live: Live, layout: Layout) -> None:
    while True:
        live.update(status_table(await asyncio.to_thread(collect, layout), layout.root))
        await asyncio.sleep(REFRESH_SECONDS)


def terminal() -> Console:
    """Return where to print; a pipe has no width, and is given room for a table."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def expect_checkout(layout: Layout) -> None:
    """Refuse a folder that holds nothing to start a platform from, before anything is written there."""
    if not layout.repository.exists() and not (layout.root / "platform" / "platform.yaml").is_file():
        raise NotSetUp(
            f"there is no platform/platform.yaml in {layout.root}: run this in a checkout, or give its --root"
        )


def welcome(layout: Layout, settings: Settings) -> str:
    """Say what is where, and what a person should know before trusting it."""
    from api.composition.parts import isolation_of_runs, tree_at_head  # noqa: PLC0415 - client commands start without it

    hosts = "\n".join(f"  http://{host}:{settings.edge_port}/" for host in tree_at_head(layout).hostnames())
    return (
        f"{hosts}\n"
        f"  state {layout.state}, logs {layout.logs}\n"
        f"  {isolation_of_runs().capitalize()}.\n"
        "  Nobody signs in: the edge names everyone local@localhost. Only this machine can reach it."
    )


class readable_errors:  # noqa: N801 - a context manager reads as a verb
    """Turn the errors a person can act on into one message and exit code 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(
            error, AlreadyRunning | StartFailed | NotSetUp | InvalidIntent | PermissionError | Stalled | Waiting
        ):
            click.echo(f"ordain: {error}", err=True)
            sys.exit(1)
