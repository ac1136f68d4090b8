"""What is stored is synced before the write returns, and those who wait together are synced together."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from reconciler.stores.fake_objects import MemoryObjects
from reconciler.stores.objects.synced import Synced, SyncedObjects, sync_file_system

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Disk:
    """Counts its syncs; `gate` holds them up."""

    def __init__(self) -> None:
        self.begun = 0
        self.done = 0
        self.gate = threading.Event()
        self.gate.set()

    def sync(self) -> None:
        self.begun += 1
        assert self.gate.wait(30)
        self.done += 1

    async def has_begun(self, syncs: int) -> None:
        async with asyncio.timeout(30):
            while self.begun < syncs:
                await asyncio.sleep(0.001)


async def test_every_write_is_synced_also_one_that_came_second() -> None:
    disk = Disk()
    objects = SyncedObjects(MemoryObjects(), Synced(disk.sync))
    await objects.put("records", "a", b"one")
    assert disk.done == 1
    assert await objects.create("models", "a", b"one")
    assert disk.done == 2
    assert not await objects.create("models", "a", b"two")
    assert disk.done == 3
    assert await objects.get("models", "a") == b"one"
    assert [each.key for each in await objects.list("records", "")] == ["a"]
    assert disk.done == 3


async def test_those_that_come_during_a_sync_share_the_next() -> None:
    disk = Disk()
    disk.gate.clear()
    synced = Synced(disk.sync)
    first = asyncio.create_task(synced.all_so_far())
    await disk.has_begun(1)
    late = [asyncio.create_task(synced.all_so_far()) for _ in range(5)]
    await asyncio.sleep(0)
    disk.gate.set()
    await asyncio.gather(first, *late)
    assert disk.done == 2, "one for the first, one for the five"


async def test_a_sync_that_failed_is_nobodys(tmp_path: Path) -> None:
    failures = [OSError("first"), None]

    def sync() -> None:
        if failure := failures.pop(0):
            raise failure

    synced = Synced(sync)
    results = await asyncio.gather(synced.all_so_far(), synced.all_so_far(), return_exceptions=True)
    assert [type(each) for each in results] == [OSError, type(None)]
    assert failures == [], "the second was not content with the first one's"


async def test_a_real_file_system_is_synced(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"x")
    sync_file_system(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_file_system(tmp_path / "none")
