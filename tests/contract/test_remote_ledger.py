"""The port RemoteLedger: one suite in memory and on real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from intents.authority import Principal
from reconciler.planning.writing import RequestId, WriteRequest
from reconciler.ports.remotes import HOME, MIRROR, RemoteLedger
from reconciler.services.settings import PostgresRole
from reconciler.stores.fake_remotes import MemoryRemotes
from reconciler.stores.ledger.remotes import LedgerRemotes
from reconciler.stores.ledger.requests import LedgerQueue
from tests.support.ledgers import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

HERE, ELSEWHERE = "https://git.example/a", "https://git.example/b"
FIRST, SECOND = "1" * 40, "2" * 40


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "postgres"])
async def remotes(request: pytest.FixtureRequest, ledger: Ledger) -> AsyncIterator[RemoteLedger]:
    async with ledger.database() as database:
        yield MemoryRemotes() if request.param == "memory" else LedgerRemotes(database)


async def test_nothing_is_known_at_first(remotes: RemoteLedger) -> None:
    assert await remotes.remotes() == {}


async def test_what_is_in_the_way_is_told_until_it_is_not(remotes: RemoteLedger) -> None:
    await remotes.tell(HOME, HERE, "it is away\0")
    first = (await remotes.remotes())[HOME]
    assert (first.address, first.commit, first.reason.startswith("it is away")) == (HERE, "", True)
    await remotes.tell(HOME, HERE, "it is away\0")
    assert (await remotes.remotes())[HOME].at == first.at, "since when stays"
    await remotes.tell(HOME, HERE, "")
    assert (await remotes.remotes())[HOME].reason == ""


async def test_what_is_there_is_kept_beside_what_is_in_the_way(remotes: RemoteLedger) -> None:
    await remotes.reached(MIRROR, HERE, FIRST)
    await remotes.tell(MIRROR, HERE, "it is away")
    found = (await remotes.remotes())[MIRROR]
    assert (found.commit, found.reason) == (FIRST, "it is away")
    await remotes.reached(MIRROR, HERE, SECOND)
    found = (await remotes.remotes())[MIRROR]
    assert (found.commit, found.reason) == (SECOND, "")


async def test_of_another_address_nothing_is_known(remotes: RemoteLedger) -> None:
    await remotes.reached(MIRROR, HERE, FIRST)
    await remotes.tell(MIRROR, ELSEWHERE, "")
    found = (await remotes.remotes())[MIRROR]
    assert (found.address, found.commit) == (ELSEWHERE, "")


async def test_requests_are_noted_with_what_is_there(ledger: Ledger) -> None:
    requests = [WriteRequest(RequestId(uuid4()), "acme", "fraud", "A", Principal("dev"), ()) for _ in range(3)]
    async with ledger.database() as database, ledger.database(PostgresRole.API) as api:
        queue, remotes = LedgerQueue(database), LedgerRemotes(database)
        for each in requests:
            await queue.put(each)
        await remotes.reached(MIRROR, HERE, FIRST, [requests[0].id, requests[1].id])
        seen = [await LedgerQueue(api, "acme").status(each.id) for each in requests]
        assert [each is not None and each.pushed_at is not None for each in seen] == [True, True, False]
        before = seen[0]
        await remotes.reached(MIRROR, HERE, SECOND, [requests[0].id])
        assert await LedgerQueue(api, "acme").status(requests[0].id) == before, "once is enough"
        assert (await LedgerRemotes(api).remotes())[MIRROR].commit == SECOND, "the API may read it"


async def test_a_hint_wakes_who_listens(ledger: Ledger) -> None:
    async with ledger.database() as database, ledger.database(PostgresRole.API) as api:
        waiting = asyncio.create_task(_first(LedgerRemotes(database).hints()))
        async with asyncio.timeout(20):
            while not waiting.done():
                await LedgerRemotes(api).hint()
                await asyncio.sleep(0.01)
        assert await waiting == ""


async def _first(hints: AsyncIterator[str]) -> str:
    async for hint in hints:
        return hint
    raise AssertionError("no hint")


async def test_what_is_over_is_forgotten(remotes: RemoteLedger) -> None:
    await remotes.reached(MIRROR, HERE, FIRST)
    await remotes.reached(HOME, HERE, FIRST)
    await remotes.forget(MIRROR)
    await remotes.forget(MIRROR)
    assert (await remotes.remotes()).keys() == {HOME}
