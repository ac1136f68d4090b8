"""What keeps the writer from writing is told through the queue, and taken back by whoever writes again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.ports.errors import Stalled, Unwritable
from reconciler.ports.repository import MAIN
from reconciler.stores.fake_requests import MemoryQueue, MemoryRequests
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.loop import Wake, run_loop
from reconciler.workers.writer import Writer
from tests.support.repositories import PLATFORM, commit, seeded_repository

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FullDisk(GitRepository):
    full = True

    def check_room(self) -> None:
        if self.full:
            raise Unwritable("the disk is full")


async def serve(repository: GitRepository, requests: MemoryRequests) -> None:
    await Writer(repository, MemoryQueue(requests), PLATFORM, lambda: datetime.now(UTC)).serve(Wake())


@asynccontextmanager
async def serving(repository: GitRepository, requests: MemoryRequests) -> AsyncIterator[None]:
    wake = Wake()
    writer = Writer(repository, MemoryQueue(requests), PLATFORM, lambda: datetime.now(UTC))
    task = asyncio.create_task(run_loop("writer", lambda: writer.serve(wake), wake))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_full_disk_is_told_until_the_next_writer_writes(tmp_path: Path) -> None:
    seeded_repository(tmp_path / "state.git")
    repository, requests = FullDisk(tmp_path / "state.git"), MemoryRequests()
    with pytest.raises(Unwritable):
        await serve(repository, requests)
    assert requests.stall == "the disk is full"
    repository.full = False
    async with serving(repository, requests):
        await until(lambda: not requests.stall)


async def test_a_rewritten_history_is_told(repository: GitRepository) -> None:
    requests = MemoryRequests()
    seed = repository.head()
    closed = commit(repository, {"README.md": b"one"})
    async with serving(repository, requests):
        await until(lambda: requests.cursor == closed)
    repository.move(MAIN, closed, seed or "")
    rewritten = commit(repository, {"README.md": b"another"})
    with pytest.raises(Stalled):
        await serve(repository, requests)
    assert requests.stall.startswith(f"history-rewritten: {closed} is no ancestor of {rewritten}")


async def test_what_will_pass_by_itself_is_told_to_nobody(repository: GitRepository) -> None:
    requests = MemoryRequests(held=True)
    with pytest.raises(Exception, match="another writer"):
        await serve(repository, requests)
    assert requests.stall == ""


async def test_a_main_that_is_moved_while_nothing_is_asked_is_noticed(repository: GitRepository) -> None:
    requests = MemoryRequests()
    seed = repository.head() or ""
    async with serving(repository, requests):
        await until(lambda: requests.cursor == seed)
        moved = commit(repository, {"README.md": b"one"})
        await until(lambda: requests.cursor == moved)
        repository.move(MAIN, moved, seed)
        commit(repository, {"README.md": b"another"})
        await until(lambda: requests.stall.startswith("history-rewritten"))
