"""What every process of the platform stands on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.ports.repository import Signature
from reconciler.services.settings import PostgresRole, Settings
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import Database
from reconciler.workers.tree_at_head import TreeAtHead

PLATFORM = Signature("ordain", "ordain@localhost")
"""The committer of every commit."""


CANCEL_AGAIN_SECONDS = 0.5


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass
class Process:
    """What every process of the platform stands on."""

    settings: Settings
    repository: GitRepository
    head: TreeAtHead
    database: Database

    @classmethod
    def of(cls, settings: Settings, role: PostgresRole) -> Process:
        """Open what a process with this role in the ledger needs."""
        repository = GitRepository(settings.layout.repository)
        return cls(settings, repository, TreeAtHead(repository), Database(settings.postgres_dsn(role)))


async def until_told(*tasks: Coroutine[Any, Any, None]) -> None:
    """Run the tasks until SIGTERM or SIGINT; the first that fails ends them all, and is raised."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with background(*tasks) as running:
        stopped = asyncio.create_task(_wait(stop))
        done, _ = await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            task.result()


@asynccontextmanager
async def background(*tasks: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run tasks beside the body and cancel them after it."""
    running = [asyncio.create_task(task) for task in tasks]
    try:
        yield running
    finally:
        await _cancelled(running)


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until they are done.

    Once is not enough: before Python 3.12 `asyncio.wait_for` loses a cancellation that comes together with its
    result, and the pool of connections waits by it.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=CANCEL_AGAIN_SECONDS)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
