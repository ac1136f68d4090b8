"""Idempotency keys through the writer: what a client is told when it asks again, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from intents.authority import Principal
from reconciler.planning.idempotency import RequestKey
from reconciler.planning.writing import ABSENT, Refused, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.requests import KeyReused, RequestState
from reconciler.stores.fake_requests import MemoryQueue, MemoryRequests
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.request_sweep import RequestSweep
from reconciler.workers.writer import Writer
from tests.support.repositories import DEVELOPER, PLATFORM, intent

pytestmark = pytest.mark.anyio

NEW_RUN = "tenants/acme/projects/fraud/runs/2026-11-23/keyed.yaml"


class Crash(Exception):
    """The process ends here."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def a_run(body: bytes = b"{}") -> WriteRequest:
    spec = intent(NEW_RUN, {"template": "train@1.0.0", "parameters": {"rounds": 1}})
    return WriteRequest(
        id=RequestId(uuid4()),
        tenant="acme",
        project="fraud",
        subject="Run",
        principal=Principal(DEVELOPER),
        writes=(Write(NEW_RUN, WriteAction.PUT, spec, ABSENT),),
        key=RequestKey.of("acme", DEVELOPER, "once", [body]),
    )


def crash_at(point: str) -> Callable[[str], None]:
    def reached(name: str) -> None:
        if name == point:
            raise Crash(name)

    return reached


def writer(
    repository: GitRepository, requests: MemoryRequests, reached: Callable[[str], None] = lambda _: None
) -> Writer:
    return Writer(repository, MemoryQueue(requests), PLATFORM, lambda: datetime.now(UTC), reached)


async def turn(made: Writer) -> None:
    async with made.queue.hold() as lock:
        await made.turn(await made.recover(), lock)


async def crash(made: Writer) -> None:
    with pytest.raises(Crash):
        await turn(made)


@pytest.mark.parametrize("rebuilt", [False, True])
async def test_the_answer_is_the_same_after_a_crash_between_commit_and_answer(
    repository: GitRepository, rebuilt: bool
) -> None:
    requests, asked = MemoryRequests(), a_run()
    await MemoryQueue(requests).put(asked)
    await crash(writer(repository, requests, crash_at("after-move")))
    if rebuilt:
        requests = MemoryRequests()
    await turn(writer(repository, requests))
    queue, head = MemoryQueue(requests), repository.head()
    assert await queue.put(a_run()) == asked.id
    status = await queue.status(asked.id)
    assert status is not None
    assert (status.state, status.commit, status.paths) == (RequestState.COMMITTED, head, (NEW_RUN,))
    await turn(writer(repository, requests))
    assert repository.head() == head, "asked twice, committed once"
    with pytest.raises(KeyReused):
        await queue.put(a_run(b"other"))


async def test_a_crash_before_the_commit_leaves_one_request_waiting(repository: GitRepository) -> None:
    requests, asked = MemoryRequests(), a_run()
    queue = MemoryQueue(requests)
    await queue.put(asked)
    await crash(writer(repository, requests, crash_at("after-pack")))
    assert await queue.put(a_run()) == asked.id
    await turn(writer(repository, requests))
    status = await queue.status(asked.id)
    assert status is not None
    assert status.state is RequestState.COMMITTED
    assert repository.info(status.commit).trailers["Ordain-Key"] == (asked.key and asked.key.to_trailer(),)


async def test_labels_and_the_platforms_own_are_projected(repository: GitRepository) -> None:
    requests = MemoryRequests()
    await turn(writer(repository, requests))
    tenants = {path: projected.tenant for path, (projected, _) in requests.intents.items()}
    assert tenants["platform/platform.yaml"] == "platform"
    assert tenants["tenants/acme/tenant.yaml"] == "acme"
    labelled = intent(NEW_RUN, {"template": "train@1.0.0", "parameters": {"rounds": 1}})
    labelled = labelled.replace(b"spec:", b"metadata:\n  labels:\n    team: risk\nspec:")
    write = Write(NEW_RUN, WriteAction.PUT, labelled)
    asked = WriteRequest(RequestId(uuid4()), "acme", "fraud", "Run", Principal(DEVELOPER), (write,))
    await MemoryQueue(requests).put(asked)
    await turn(writer(repository, requests))
    assert requests.intents[NEW_RUN][0].labels == {"team": "risk"}


async def test_the_sweep_forgets_keys_after_a_week() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    requests = MemoryRequests(now=lambda: now)
    queue, asked = MemoryQueue(requests), a_run()
    await queue.put(asked)
    await queue.close((), (Refused(asked, ()),), None)
    for days, known in ((6, True), (8, False)):
        now = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(days=days)
        await RequestSweep(queue).turn()
        assert asked.key is not None
        assert (await queue.keyed(asked.key) == asked.id) is known
