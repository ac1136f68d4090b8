"""One root's platform as a whole: up in the foreground, up detached, down."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.process_identity import end_group, identity_of
from reconciler.services.lock import AlreadyRunning, sole_supervisor, supervisor_of
from reconciler.services.logs import last_lines, open_log
from reconciler.services.readiness import announce, is_announced
from reconciler.services.record import PartState
from reconciler.services.settings import Settings
from reconciler.services.supervisor import Notice, Supervisor
from reconciler.services.sweep import end_children, end_parts, withdrawn_runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from reconciler.services.layout import Layout
    from reconciler.services.part import Part

# The longest chain of parts that wait for each other to end, each within its own grace.
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.1
_PLATFORM = "platform"


class StartFailed(Exception):
    """The platform did not come up; the message says where to look."""


async def run_foreground(
    layout: Layout,
    parts: Callable[[Settings], Awaitable[Sequence[Part]]],
    on_change: Callable[[Notice], None],
    on_ready: Callable[[Settings], None],
) -> None:
    """Keep the platform up until SIGINT or SIGTERM, then end all that belongs to it.

    `parts` is asked once, with ports and secrets that are settled and nothing of an earlier platform
    running. `on_ready` is called when all parts are ready for the first time. Raises AlreadyRunning.
    """
    layout.create()
    with sole_supervisor(layout):
        for name in await end_parts(layout):
            on_change(Notice(name, PartState.STOPPED, "left by an earlier supervisor; ended"))
        settings = Settings.prepare(layout, lambda text: on_change(Notice("ports", PartState.STARTING, text)))
        supervisor = Supervisor(layout, await parts(settings), on_change)
        ready = asyncio.create_task(_tell_ready(supervisor, settings, on_ready))
        try:
            await supervisor.run(_stop_signals())
        finally:
            ready.cancel()


async def start_detached(layout: Layout, argv: Sequence[str], seconds: float) -> None:
    """Start `argv` (the words of a foreground `up`) as a session of its own; return when every part is ready.

    Raises StartFailed when it ends before, or is not ready in time: then it goes on trying.
    """
    layout.create()
    if supervisor_of(layout) is not None:
        raise AlreadyRunning(f"the platform at {layout.root} is up already; see `ordain status`")
    log = layout.log("supervisor")
    process = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond; nothing waits for its end
        argv,
        cwd=layout.root,
        stdin=subprocess.DEVNULL,
        stdout=open_log(log),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + seconds
    while not _is_ready(layout, process.pid):
        if process.poll() is not None:
            raise StartFailed(f"it ended with {process.returncode}; the end of {log}:\n" + _tail(log))
        if time.monotonic() > deadline:
            raise StartFailed(f"not ready after {seconds:.0f} s, still trying; the end of {log}:\n" + _tail(log))
        await asyncio.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class Stopped:
    """What `stop` found."""

    ran: bool
    withdrawn_runs: int = 0
    """Runs that were under way, and begin again with the next start."""


async def stop(layout: Layout) -> Stopped:
    """End the supervisor and all that belongs to the platform."""
    if not layout.state.exists():
        return Stopped(ran=False)
    supervisor = supervisor_of(layout)
    if supervisor is not None:
        # Only the supervisor is asked: it ends its parts in order. Those are sessions of their own.
        await end_group(supervisor, _STOP_SECONDS)
    with sole_supervisor(layout):
        left = [*await end_parts(layout), *await end_children(layout)]
    return Stopped(supervisor is not None or bool(left), withdrawn_runs(layout))


def _stop_signals() -> asyncio.Event:
    stop_asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop_asked.set)
    return stop_asked


async def _tell_ready(supervisor: Supervisor, settings: Settings, on_ready: Callable[[Settings], None]) -> None:
    await supervisor.all_ready()
    announce(settings.layout.ready / _PLATFORM)
    on_ready(settings)


def _is_ready(layout: Layout, pid: int) -> bool:
    """Say whether the supervisor of this pid has had every part ready; an earlier one's word does not count."""
    identity = identity_of(pid)
    return identity is not None and is_announced(layout.ready / _PLATFORM, identity)


def _tail(log: Path) -> str:
    return "\n".join(last_lines(log, 15))
