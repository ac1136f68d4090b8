"""The writer as a process that meets its end: `python -m tests.crash.writer_host REPOSITORY DSN POINT DEED FOLDER`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers.loop import Wake, run_loop, wake_on
from reconciler.workers.writer import Writer
from tests.support.repositories import PLATFORM

PATIENCE_SECONDS = 60.0


def pause(folder: Path) -> None:
    """Say that the point was reached, and go on when told."""
    (folder / "paused").touch()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def stop(folder: Path) -> None:
    (folder / "paused").touch()
    os.kill(os.getpid(), signal.SIGSTOP)


def die(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


DEEDS: dict[str, Callable[[Path], None]] = {"die": die, "stop": stop, "pause": pause}


def once_at(point: str, deed: str, folder: Path) -> Callable[[str], None]:
    done: list[str] = []

    def reached(name: str) -> None:
        if name == point and not done:
            done.append(name)
            DEEDS[deed](folder)

    return reached


async def main(repository: str, dsn: str, point: str, deed: str, folder: str) -> None:
    database, wake = Database(dsn), Wake()
    queue = LedgerQueue(database)
    await database.open()
    reached = once_at(point, deed, Path(folder))
    writer = Writer(GitRepository(Path(repository)), queue, PLATFORM, lambda: datetime.now(UTC), reached)
    await asyncio.gather(run_loop("writer", lambda: writer.serve(wake), wake), wake_on(queue.arrivals, wake))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(*sys.argv[1:6]))
