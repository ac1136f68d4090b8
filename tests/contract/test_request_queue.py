"""The WriterQueue port, in memory and on real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from reconciler.planning.idempotency import KEPT
from reconciler.planning.writing import BATCH_BYTES, Refused, Write, WriteAction
from reconciler.ports.errors import Conflict, Waiting
from reconciler.ports.requests import KeyReused, RequestState, RequestStatus, WriterQueue
from reconciler.stores.fake_requests import MemoryQueue
from reconciler.stores.ledger.requests import SLICE, LedgerQueue
from tests.fixtures.write_requests import PATH, closing, keyed, problem, request
from tests.support.ledgers import Ledger

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def queue(real: Ledger | None) -> AsyncIterator[WriterQueue]:
    if real is None:
        yield MemoryQueue()
        return
    async with real.database() as database:
        yield LedgerQueue(database)


async def ids(queue: WriterQueue) -> Sequence[UUID]:
    return [each.id for each in await queue.waiting(100)]


async def status_of(queue: WriterQueue, request: UUID) -> RequestStatus:
    found = await queue.status(request)
    assert found is not None
    return found


async def test_requests_come_back_whole_and_in_order(queue: WriterQueue) -> None:
    asked = [request() for _ in range(5)] + [keyed("k")]
    for each in asked:
        assert await queue.put(each) == each.id
    assert list(await queue.waiting(100)) == asked
    assert list(await queue.waiting(2)) == asked[:2]


async def test_many_come_back_in_order(queue: WriterQueue) -> None:
    asked = [await queue.put(request()) for _ in range(2 * SLICE + 5)]
    assert await ids(queue) == asked
    assert [each.id for each in await queue.waiting(SLICE + 3)] == asked[: SLICE + 3]


async def test_large_ones_come_back_a_few_at_a_time(queue: WriterQueue) -> None:
    """However many wait, whoever decides them holds so many bytes and one request's; then the next have their turn."""
    large = (Write(PATH, WriteAction.PUT, b"#" * (BATCH_BYTES // 2)),)
    asked = [request(), *(request(writes=large) for _ in range(4)), request()]
    for each in asked:
        await queue.put(each)
    assert await ids(queue) == [each.id for each in asked[:3]]
    await queue.close([closing(each, "1" * 40) for each in asked[:3]], (), "1" * 40)
    assert await ids(queue) == [each.id for each in asked[3:5]]


async def test_putting_twice_changes_nothing(queue: WriterQueue) -> None:
    first, second = request(), request()
    for each in (first, second, replace(first, subject="Another")):
        await queue.put(each)
    assert list(await queue.waiting(100)) == [first, second]
    await queue.close([closing(first, "1" * 40)], (), "1" * 40)
    await queue.put(first)
    assert await ids(queue) == [second.id]


async def test_an_unknown_request_has_no_status(queue: WriterQueue) -> None:
    assert await queue.status(uuid4()) is None
    key = keyed("k").key
    assert key is not None
    assert await queue.keyed(key) is None


async def test_a_waiting_request_names_what_it_asks_to_write(queue: WriterQueue) -> None:
    asked = request()
    await queue.put(asked)
    status = await status_of(queue, asked.id)
    assert (status.state, status.paths) == (RequestState.WAITING, (PATH,))


async def test_one_key_is_one_request(queue: WriterQueue) -> None:
    first, again = keyed("k"), keyed("k")
    assert await queue.put(first) == first.id
    assert await queue.put(again) == first.id, "while it waits"
    assert await ids(queue) == [first.id]
    await queue.close([closing(first, "1" * 40)], (), "1" * 40)
    assert await queue.put(again) == first.id, "when it is answered"
    assert again.key is not None
    assert await queue.keyed(again.key) == first.id
    assert await ids(queue) == []


async def test_a_refused_request_keeps_its_key(queue: WriterQueue) -> None:
    first = keyed("k")
    await queue.put(first)
    await queue.close((), (Refused(first, (problem(),)),), None)
    assert await queue.put(keyed("k")) == first.id


async def test_a_key_is_never_given_to_something_else(queue: WriterQueue) -> None:
    await queue.put(keyed("k"))
    other = keyed("k", b"other")
    with pytest.raises(KeyReused):
        await queue.put(other)
    assert other.key is not None
    with pytest.raises(KeyReused):
        await queue.keyed(other.key)
    assert await queue.put(keyed("l", b"other")) is not None
    assert len(await ids(queue)) == 2


async def test_keys_are_each_persons_own(queue: WriterQueue) -> None:
    mine, theirs = keyed("k"), keyed("k", tenant="globex")
    for each in (mine, theirs):
        assert await queue.put(each) == each.id


async def test_two_at_once_with_one_key_are_one_request(queue: WriterQueue) -> None:
    asked = [keyed("k") for _ in range(8)]
    found = await asyncio.gather(*(queue.put(each) for each in asked))
    assert len(set(found)) == 1
    assert await ids(queue) == [found[0]]


async def test_old_keys_are_forgotten_and_answers_stay(queue: WriterQueue) -> None:
    answered, waiting = keyed("answered"), keyed("waiting")
    for each in (answered, waiting):
        await queue.put(each)
    await queue.close([closing(answered, "1" * 40)], (), "1" * 40)
    assert await queue.forget_keys(KEPT) == 0
    assert await queue.forget_keys(timedelta()) == 1
    assert (await status_of(queue, answered.id)).state is RequestState.COMMITTED
    again = keyed("answered", b"other")
    assert await queue.put(again) == again.id
    assert await queue.put(keyed("waiting")) == waiting.id


async def test_a_ledger_made_anew_knows_keys_from_commits(queue: WriterQueue) -> None:
    asked, old = keyed("k"), keyed("old")
    now = datetime.now(UTC)
    closings = [closing(asked, "1" * 40, at=now), closing(old, "2" * 40, at=now - KEPT - timedelta(hours=1))]
    for _ in range(2):
        await queue.close(closings, (), "2" * 40)
    assert await queue.put(keyed("k")) == asked.id
    status = await status_of(queue, asked.id)
    assert (status.state, status.commit, status.paths) == (RequestState.COMMITTED, "1" * 40, (PATH,))
    with pytest.raises(KeyReused):
        await queue.put(keyed("k", b"other"))
    assert await queue.status(old.id) is None


async def test_closing_answers_and_moves_the_cursor(queue: WriterQueue) -> None:
    asked, bad, stale = request(), request(), request()
    for each in (asked, bad, stale):
        await queue.put(each)
    assert await queue.cursor() is None
    refused = (Refused(bad, (problem("one"), problem("two"))), Refused(stale, (problem(),), conflict=True))
    await queue.close([closing(asked, "1" * 40)], refused, "1" * 40)
    status = await status_of(queue, asked.id)
    assert (status.state, status.commit, status.paths) == (RequestState.COMMITTED, "1" * 40, (PATH,))
    answer = await status_of(queue, bad.id)
    assert (answer.state, answer.conflict) == (RequestState.REFUSED, False)
    assert answer.problems == (problem("one"), problem("two"))
    assert (await status_of(queue, stale.id)).conflict
    assert await queue.cursor() == "1" * 40


async def test_an_answer_is_given_once(queue: WriterQueue) -> None:
    asked = request()
    await queue.put(asked)
    for _ in range(3):
        await queue.close([closing(asked, "1" * 40)], (), "1" * 40)
    await queue.close([closing(None, "2" * 40, blob=None)], (Refused(asked, (problem(),)),), "2" * 40)
    assert (await status_of(queue, asked.id)).state is RequestState.COMMITTED


async def test_refusing_alone_moves_no_cursor(queue: WriterQueue) -> None:
    asked = request()
    await queue.put(asked)
    await queue.close((), (Refused(asked, (problem(),)),), None)
    assert await queue.cursor() is None
    assert await ids(queue) == []


async def test_the_third_crash_parks_a_request_with_its_reason(queue: WriterQueue) -> None:
    asked, other = request(), request()
    for each in (asked, other):
        await queue.put(each)
    for crashes in range(3):
        assert asked.id in await ids(queue), f"after {crashes} crashes it is still tried"
        await queue.crashed(asked.id, "the check crashed: RecursionError")
    assert await ids(queue) == [other.id]
    status = await status_of(queue, asked.id)
    assert status.state is RequestState.PARKED
    assert [each.code for each in status.problems] == ["check-crashed"]


async def test_while_the_writer_cannot_write_nothing_new_is_kept(queue: WriterQueue) -> None:
    known, new = keyed("known"), request()
    await queue.put(known)
    for reason in ("the disk is full", "the disk is still full"):
        await queue.stalled(reason)
        with pytest.raises(Waiting, match=reason):
            await queue.put(new)
        assert await queue.put(known) == known.id
        assert await queue.put(keyed("known")) == known.id
        assert await ids(queue) == [known.id]
    for _ in range(2):
        await queue.stalled("")
    assert await queue.put(new) == new.id


async def test_one_writer_holds_the_lock(queue: WriterQueue) -> None:
    async with queue.hold() as lock:
        await lock.verify()
        with pytest.raises(Conflict, match="another"):
            await _take(queue)
    async with queue.hold() as lock:
        await lock.verify()


async def _take(queue: WriterQueue) -> None:
    async with queue.hold():
        pass
