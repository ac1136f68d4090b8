"""The writer is killed at each step of opening, merging and closing changes; each is open or ended once."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intents.tree import Tree
from reconciler.planning.changes import Approval, Change, ChangeId, ChangeState, Deed, OfChange, change_id
from reconciler.planning.plan.digest import PlanDigest
from reconciler.planning.proposing import preview
from reconciler.ports.changes import ChangeRecord
from reconciler.ports.requests import RequestState
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers.change_branches import CRASH_POINTS as BRANCH_POINTS
from reconciler.workers.change_branches import ENDED, OPEN, read_change
from reconciler.workers.tree_at_head import advanced
from reconciler.workers.writer import CRASH_POINTS
from tests.crash.test_writer_crash import ROUNDS, Place, answers, insist, is_sound, until
from tests.fixtures.approvals import APPROVER, BLUE, DEPLOY_SPEC, approved_specs, ask, put
from tests.fixtures.trees import ACME, FRAUD, MODEL_1
from tests.support.ledgers import Ledger
from tests.support.repositories import commit, intent

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

CLIENTS = 4


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def place(repository: GitRepository, ledger: Ledger, tmp_path: Path) -> Iterator[Place]:
    specs = approved_specs()
    commit(repository, {path: intent(path, specs[path]) for path in (ACME, FRAUD, MODEL_1)})
    made = Place(repository, ledger, tmp_path)
    yield made
    made.end()


@dataclass
class People:
    """Developers that open changes and an approver; what they were told."""

    place: Place
    queue: LedgerQueue
    opened: list[ChangeId] = field(default_factory=list)
    merged: list[ChangeId] = field(default_factory=list)
    closed: list[ChangeId] = field(default_factory=list)

    async def work(self, number: int) -> None:
        """Open a change; leave every third open, close another third, have the last one merged."""
        asking = ask(put(BLUE.replace("blue", f"blue-{number}"), DEPLOY_SPEC))
        change = change_id(asking.id)
        await insist(self.queue, asking)
        (status,) = await answers(self.queue, [asking])
        assert (status.state, status.change) == (RequestState.PROPOSED, change), status
        self.opened.append(change)
        if number % 3 == 1:
            await self.end(change, Deed.CLOSE, RequestState.CLOSED, self.closed)
        elif number % 3 == 2:
            await self.approve(change)
            await self.end(change, Deed.MERGE, RequestState.COMMITTED, self.merged)

    async def end(self, change: ChangeId, deed: Deed, state: RequestState, told: list[ChangeId]) -> None:
        request = ask(principal=APPROVER, of=OfChange(change, deed))
        await insist(self.queue, request)
        (status,) = await answers(self.queue, [request])
        assert status.state is state, status
        told.append(change)

    async def approve(self, change: ChangeId) -> None:
        record = (await self.queue.changes.known([change]))[change]
        digest = await asyncio.to_thread(self._digest, record)
        given = Approval(change, APPROVER, digest, record.change.head, datetime.now(UTC))
        await self.queue.changes.approve(given)

    def _digest(self, record: ChangeRecord) -> PlanDigest:
        repository = GitRepository(self.place.repository.path)
        known = read_change(repository, record)
        tree = advanced(repository, Tree.empty(), None, repository.head() or "")
        return preview(tree, known, now=datetime.now(UTC)).digest


@asynccontextmanager
async def people(place: Place, queue: LedgerQueue) -> AsyncIterator[People]:
    """Let people work, all the time while the body runs."""
    made, numbers, stopped = People(place, queue), itertools.count(), asyncio.Event()

    async def person() -> None:
        while not stopped.is_set():
            await made.work(next(numbers))

    tasks = [asyncio.create_task(person()) for _ in range(CLIENTS)]
    try:
        yield made
    finally:
        stopped.set()
        await asyncio.gather(*tasks)


async def is_whole(place: Place, queue: LedgerQueue, told: People) -> None:
    """Hold what git and the ledger have against what people were told."""
    repository = place.repository
    records = await queue.changes.known(told.opened)
    changes = {name: each.change for name, each in records.items()}
    assert changes.keys() == set(told.opened)
    assert len(set(told.opened)) == len(told.opened)
    by_state = {state: {name for name, each in changes.items() if each.state is state} for state in ChangeState}
    assert by_state[ChangeState.MERGED] == set(told.merged)
    assert by_state[ChangeState.CLOSED] == set(told.closed)
    is_on_main_once(repository, [changes[name] for name in told.merged])
    assert repository.refs(OPEN) == {name: changes[name].head for name in by_state[ChangeState.OPEN]}
    assert repository.refs(ENDED).keys() <= {*told.merged, *told.closed}
    is_sound(repository)
    with place.ledger.connect() as connection:
        events = connection.execute("SELECT name, verb FROM events WHERE noun = 'change'").fetchall()
    assert set(Counter(events).values()) == {1}, "each is told once"


def is_on_main_once(repository: GitRepository, merged: Sequence[Change]) -> None:
    history = repository.between(None, repository.head() or "")
    found = {each.id: each.trailers["Ordain-Change"][0] for each in history if "Ordain-Change" in each.trailers}
    assert found == {each.commit: each.id for each in merged}


async def test_killed_at_each_step_while_people_work(place: Place) -> None:
    async with place.ledger.database() as database:
        queue = LedgerQueue(database)
        async with people(place, queue) as told:
            for point in (*CRASH_POINTS, *BRANCH_POINTS) * ROUNDS:
                host = place.start(point)
                await until(lambda host=host: host.poll() is not None, f"to die {point}")  # type: ignore[misc]
                assert host.returncode == -signal.SIGKILL
            place.start()
            merged = len(told.merged)
            await until(lambda: len(told.merged) > merged, "one more to be merged")
        await is_whole(place, queue, told)
        assert told.merged
        assert told.closed
