"""The disk is full, read-only or under a quota: everyone who asks is told, nothing is half-written, and it passes."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.ports.errors import Waiting
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.requests import LedgerQueue
from tests.crash.test_writer_crash import CLIENTS, PATIENCE_SECONDS, Place, a_run, clients, is_sound, is_whole, until
from tests.support.disks import SmallDisk, can_mount, small_disk
from tests.support.ledgers import Ledger
from tests.support.repositories import seeded_repository

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

QUOTA = 4096
"""Bytes of a file: less than the pack of what the clients ask for at once."""


@dataclass(frozen=True)
class Trouble:
    """What befalls the repository of a place while it lasts."""

    place: Place
    reason: str
    begin: Callable[[], bool]
    end: Callable[[], bool]
    repository: Callable[[], GitRepository]
    """The repository as it is now, where this process can see it."""


@contextmanager
def quota(place: Place) -> Iterator[Trouble]:
    """No file may grow any more: git is ended by a signal in the middle of a pack."""

    def limit(size: int) -> bool:
        pid = place.hosts[-1].pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        return True

    unlimited = resource.RLIM_INFINITY
    reason = "could not write to state.git"
    yield Trouble(place, reason, lambda: limit(QUOTA), lambda: limit(unlimited), lambda: place.repository)


@contextmanager
def permissions(place: Place) -> Iterator[Trouble]:
    """Its owner may not write any more; root always may."""

    def mode(bits: int) -> bool:
        for folder in ("objects/pack", "refs/heads"):
            (place.repository.path / folder).chmod(bits)
        return True

    yield Trouble(place, "permission denied", lambda: mode(0o500), lambda: mode(0o700), lambda: place.repository)


@contextmanager
def _on_a_small_disk(place: Place, reason: str, begin: str, end: str) -> Iterator[Trouble]:
    folder, copies = place.folder / "disk", itertools.count()
    folder.mkdir()
    with small_disk(folder) as disk:
        assert disk.tell(f"cp -a {place.repository.path} state.git")
        place.path, place.mounts_of = folder / "state.git", disk.shell.pid
        yield Trouble(
            place, reason, lambda: disk.tell(begin), lambda: disk.tell(end), lambda: _copied(disk, next(copies))
        )
        place.end()


def _copied(disk: SmallDisk, number: int) -> GitRepository:
    copy = disk.folder.with_name(f"copy-{number}.git")
    assert disk.tell(f"cp -a state.git {copy}")
    return GitRepository(copy)


def full(place: Place) -> AbstractContextManager[Trouble]:
    """Not a byte more fits."""
    fill = "! head -c 1G /dev/zero > ballast"
    return _on_a_small_disk(place, "is full|Out of diskspace|No space left", fill, "rm ballast")


def read_only(place: Place) -> AbstractContextManager[Trouble]:
    """The file system takes no writes, as after an error of the disk."""
    remount = "cd / && mount -o remount,bind,{} " + str(place.folder / "disk")
    return _on_a_small_disk(place, "read-only file system", remount.format("ro"), remount.format("rw"))


def troubles() -> list[Callable[[Place], AbstractContextManager[Trouble]]]:
    """Return what can be tried by whoever runs the tests, here."""
    if can_mount():
        return [quota, full, read_only]
    return [quota] if os.geteuid() == 0 else [quota, permissions]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=troubles(), ids=lambda trouble: trouble.__name__)
def trouble(request: pytest.FixtureRequest, ledger: Ledger, tmp_path: Path) -> Iterator[Trouble]:
    place = Place(seeded_repository(tmp_path / "state.git"), ledger, tmp_path)
    with request.param(place) as made:
        yield made
        place.end()


async def refusal(queue: LedgerQueue) -> str:
    """Ask until nothing is kept any more, and return why."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        for number in itertools.count():
            try:
                await queue.put(a_run(f"unkept-{number}"))
            except Waiting as waiting:
                return str(waiting)
            await asyncio.sleep(0.02)
    raise AssertionError


async def test_who_asks_is_told_and_all_goes_on_when_it_has_passed(trouble: Trouble) -> None:
    place = trouble.place
    async with place.ledger.database() as database:
        queue = LedgerQueue(database)
        async with clients(queue) as asked:
            place.start(retries_within=1.0)
            await until(lambda: len(asked.good) > CLIENTS, "clients to be served")
            await until(trouble.begin, "the trouble to begin")
            assert re.search(trouble.reason, await refusal(queue), re.IGNORECASE)
            is_sound(trouble.repository())
            await until(trouble.end, "the trouble to end")
            served = len(asked.good) + 2 * CLIENTS
            await until(lambda: len(asked.good) > served, "clients to be served again")
        place.repository = trouble.repository()
        await is_whole(place, database, asked)
