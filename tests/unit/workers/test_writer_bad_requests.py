"""Bad requests in a group that the writer takes at once: none of them harms the others."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from intents.authority import Principal
from intents.checks import Facts
from intents.tree import Tree
from reconciler.planning.proposing import Known, decide
from reconciler.planning.writing import ABSENT, Decision, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.requests import RequestState
from reconciler.stores.fake_requests import MemoryQueue
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.writer import Writer
from tests.support.repositories import DEVELOPER, PLATFORM, intent

pytestmark = pytest.mark.anyio

RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def a_run(name: str, template: str = "train@1.0.0") -> WriteRequest:
    path = f"{RUNS}/{name}.yaml"
    spec = intent(path, {"template": template, "parameters": {"rounds": 1}})
    writes = (Write(path, WriteAction.PUT, spec, ABSENT),)
    return WriteRequest(RequestId(uuid4()), "acme", "fraud", name, Principal(DEVELOPER), writes)


async def turn(repository: GitRepository, queue: MemoryQueue) -> None:
    writer = Writer(repository, queue, PLATFORM, lambda: datetime.now(UTC))
    async with queue.hold() as lock:
        await writer.turn(await writer.recover(), lock)


async def states(queue: MemoryQueue, *requests: WriteRequest) -> list[RequestState]:
    found = [await queue.status(each.id) for each in requests]
    return [each.state for each in found if each is not None]


async def test_what_is_refused_is_refused_alone(repository: GitRepository) -> None:
    queue, good = MemoryQueue(), [a_run(f"good-{number}") for number in range(3)]
    bad = [a_run("unknown", template="none@1.0.0"), a_run("good-0")]
    for each in (bad[0], good[0], bad[1], *good[1:]):
        await queue.put(each)
    before = repository.head()
    await turn(repository, queue)
    assert await states(queue, *good, *bad) == [RequestState.COMMITTED] * 3 + [RequestState.REFUSED] * 2
    made = repository.between(before, repository.head() or "")
    assert [each.trailers["Ordain-Request"] for each in made] == [(str(each.id),) for each in good]


async def test_what_crashes_its_check_is_parked_and_the_others_go_on(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashing(tree: Tree, request: WriteRequest, known: Known, facts: Facts) -> tuple[Tree, Decision]:
        if request.subject == "crash":
            raise RecursionError
        return decide(tree, request, known, facts)

    monkeypatch.setattr("reconciler.workers.writer.decide", crashing)
    queue, crash = MemoryQueue(), a_run("crash")
    seen = []
    for number in range(3):
        good = a_run(f"good-{number}")
        for each in (crash, good) if number == 0 else (good,):
            await queue.put(each)
        await turn(repository, queue)
        seen.append(await states(queue, crash, good))
    waiting, committed = RequestState.WAITING, RequestState.COMMITTED
    assert seen == [[waiting, committed], [waiting, committed], [RequestState.PARKED, committed]]
    parked = await queue.status(crash.id)
    assert parked is not None
    assert [each.code for each in parked.problems] == ["check-crashed"]
