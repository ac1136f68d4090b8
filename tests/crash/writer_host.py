"""The writer as a process that meets its end, forked from one that has imported all it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler.stores.git import repository as git_store
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger import database
from reconciler.stores.ledger import requests as request_store
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers import loop
from reconciler.workers.loop import Wake, run_loop, wake_on
from reconciler.workers.writer import CRASH_POINTS, Writer
from tests.support.disks import join
from tests.support.repositories import PLATFORM

PATIENCE_SECONDS = 60.0
IDLE_MILLISECONDS = 2_000
"""After which Postgres ends the transaction of a writer that was stopped in it."""
GIT_MILLISECONDS = (1, 3, 5, 8)
"""How long git is at work when it is killed; a small batch takes it some 8 ms."""

IN_APPEND, IN_MOVE, IN_CLOSE = "in-append", "in-move", "in-close"
"""Between the pack and its folder's sync; before the ref moves; in the closing transaction, when all is written."""
IN_GIT = tuple(f"in-git-{milliseconds}" for milliseconds in GIT_MILLISECONDS)
"""In the pack, or in the staging ref: git itself is killed too."""
POINTS = (*CRASH_POINTS, IN_APPEND, IN_MOVE, IN_CLOSE, *IN_GIT)


@dataclass(frozen=True)
class Fate:
    """What a writer does when it comes to a point."""

    point: str = "never"
    deed: str = "die"
    folder: Path = Path()
    """Where `paused` says that it came there, and `go` lets it go on."""
    elsewhere: bool = False
    """It is on a machine whose file locks keep nobody else out."""
    retries_within: float = 10.0
    """The longest pause after an error, in seconds."""
    mounts_of: int | None = None
    """The process whose mounts it sees."""


class FarRepository(GitRepository):
    """A repository on a file system whose locks one machine does not see from another."""

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        yield


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


def die_with_git(milliseconds: int) -> None:
    """Kill everything of this session a little later."""
    threading.Timer(milliseconds / 1000, os.killpg, (os.getpid(), signal.SIGKILL)).start()


DEEDS: dict[str, Callable[[Path], None]] = {"die": die, "stop": stop, "pause": pause}


def once_at(point: str, deed: str, folder: Path) -> Callable[[str], None]:
    done: list[str] = []

    def reached(name: str) -> None:
        if name == point and not done:
            done.append(name)
            DEEDS[deed](folder)

    return reached


def serve(repository: Path, dsn: str, fate: Fate) -> None:
    """Be that process."""
    os.setsid()
    if fate.mounts_of is not None:
        join(fate.mounts_of)
    logging.basicConfig(filename=fate.folder / "log", level=logging.INFO)
    loop.BACKOFF_SECONDS = (0.2, fate.retries_within)
    database.IDLE_MILLISECONDS = IDLE_MILLISECONDS
    reached = once_at(fate.point, fate.deed, fate.folder)
    _meet_inside(reached)
    kind = FarRepository if fate.elsewhere else GitRepository
    asyncio.run(_serve(kind(repository), Database(dsn), _with_git(fate.point, reached)))


def _with_git(point: str, reached: Callable[[str], None]) -> Callable[[str], None]:
    def met(name: str) -> None:
        if name == "after-decide" and point in IN_GIT:
            die_with_git(int(point.rpartition("-")[2]))
        reached(name)

    return met


def _meet_inside(reached: Callable[[str], None]) -> None:
    """Come to the points inside of steps."""
    _before(git_store, "fsync_folder", lambda: reached(IN_APPEND))
    _before(GitRepository, "_set", lambda: reached(IN_MOVE))
    close = request_store.__dict__["close"]

    async def closed(*rest: object) -> None:
        await close(*rest)
        reached(IN_CLOSE)

    request_store.__dict__["close"] = closed


def _before(owner: object, name: str, come: Callable[[], None]) -> None:
    step = getattr(owner, name)

    def met(*words: object) -> object:
        come()
        return step(*words)

    setattr(owner, name, met)


async def _serve(repository: GitRepository, ledger: Database, reached: Callable[[str], None]) -> None:
    queue, wake = LedgerQueue(ledger), Wake()
    await ledger.open()
    writer = Writer(repository, queue, PLATFORM, lambda: datetime.now(UTC), reached)
    await asyncio.gather(run_loop("writer", lambda: writer.serve(wake), wake), wake_on(queue.arrivals, wake))
