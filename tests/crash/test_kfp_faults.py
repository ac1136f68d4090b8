"""KFP fails in every way it is known to, under one and three reconcilers: each run is executed once, none is lost."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest

from reconciler.drivers.fake_pipelines import FakeOutput, FakeProgram
from reconciler.drivers.kubernetes import kfp_api, kfp_pipelines
from reconciler.planning import runs as planning
from reconciler.planning.runs import RunRow
from reconciler.services.settings import PostgresRole
from reconciler.stores.fake_objects import MemoryObjects
from reconciler.stores.ledger import runs as ledger_runs
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.workers import loop, run_orchestrator
from tests.support.kfp_double import Fault, KfpDouble
from tests.support.kfp_platform import Reconciler, asked, reconciler_on, running
from tests.support.kfp_server import serving
from tests.support.kfp_world import writes_to
from tests.support.ledgers import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

RUNS = 30
PATIENCE_SECONDS = 60.0
LATE_SECONDS = 0.8
"""Longer than the client waits here."""
HELLO = FakeProgram("hello", outputs=(FakeOutput("greeting", "system.Artifact", {"": b"hello\n"}),))
TERMINAL = {"succeeded", "failed", "cancelled"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every time that stands for patience, keeping which is longer than which."""
    monkeypatch.setattr(kfp_api, "READ_SECONDS", (0.3, 0.3))
    monkeypatch.setattr(kfp_api, "WRITE_SECONDS", (0.3, 0.5))
    monkeypatch.setattr(kfp_api, "LIST_SECONDS", (0.3, 1.0))
    monkeypatch.setattr(kfp_pipelines, "POLICY_SECONDS", 0.2)
    monkeypatch.setattr(planning, "SETTLED_SECONDS", 2.0)
    monkeypatch.setattr(run_orchestrator, "UNANSWERED_SECONDS", (0.05, 0.5))
    monkeypatch.setattr(ledger_runs, "LEASE_SECONDS", 2.0)
    monkeypatch.setattr(loop, "BACKOFF_SECONDS", (0.02, 0.3))


@dataclass
class World:
    """A double, a ledger, and what was asked of them."""

    double: KfpDouble
    address: str
    objects: MemoryObjects
    ledger: Ledger
    connection: psycopg.Connection[tuple[object, ...]]

    @asynccontextmanager
    async def reconcilers(self, count: int) -> AsyncIterator[list[Reconciler]]:
        """Run reconcilers, each with connections of its own; one of them watches and sweeps."""
        dsn = self.ledger.dsn(PostgresRole.WORKER)
        async with AsyncExitStack() as stack:
            made = [
                await stack.enter_async_context(reconciler_on(self.address, dsn, self.objects)) for _ in range(count)
            ]
            loops = [each.loops(4, sweeps=number == 0) for number, each in enumerate(made)]
            await stack.enter_async_context(running(*itertools.chain.from_iterable(loops)))
            yield made

    async def ask(self, *runs: RunRow) -> None:
        async with self.database() as database:
            await LedgerRuns(database).admit("c" * 40, runs, [])

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        async with self.ledger.database() as opened:
            yield opened

    def states(self) -> dict[str, str]:
        rows = self.connection.execute("SELECT name, state FROM runs").fetchall()
        return {str(name): str(state) for name, state in rows}

    def column(self, name: str) -> set[object]:
        return {row[0] for row in self.connection.execute(f"SELECT {name} FROM runs").fetchall()}  # noqa: S608 - ours

    def told(self, verb: str) -> int:
        row = self.connection.execute("SELECT count(*) FROM events WHERE verb = %s", (verb,)).fetchone()
        assert row is not None
        return int(str(row[0]))

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            rows = self.connection.execute("SELECT name, state, reason, submissions, failures FROM runs").fetchall()
            pytest.fail(
                f"waited {PATIENCE_SECONDS:.0f} s for {what}: {[row for row in rows if row[1] not in TERMINAL]}"
            )

    async def ended(self) -> None:
        await self.until(lambda: set(self.states().values()) <= TERMINAL, "every run to end")
        await self.until(self._is_tidy, "KFP to list no run that has ended")

    def _is_tidy(self) -> bool:
        return all(row.storage_state == "ARCHIVED" for row in self.double.rows.values())


@pytest.fixture
def world(ledger: Ledger) -> Iterator[World]:
    objects = MemoryObjects()
    double = KfpDouble({"hello": HELLO}, put=writes_to(objects), late_seconds=LATE_SECONDS)
    with serving(double) as address, ledger.connect() as connection:
        yield World(double, address, objects, ledger, connection)


def all_faults(seed: int, share: float = 0.7) -> Iterator[Fault | None]:
    """Yield faults of every sort, as many as that share of all submissions, then none."""
    chance = random.Random(seed)  # noqa: S311 - repeats a test
    for _ in range(3 * RUNS):
        yield chance.choice(list(Fault)) if chance.random() < share else None
    yield from itertools.repeat(None)


RECONCILERS = pytest.mark.parametrize("count", [1, 3])


@RECONCILERS
@pytest.mark.parametrize("policy", [True, False], ids=["policy", "no-policy"])
async def test_whatever_a_submission_meets_it_is_executed_once(world: World, count: int, policy: bool) -> None:
    world.double.policy, world.double.faults = policy, all_faults(count)
    runs = [asked(f"run-{number}") for number in range(RUNS)]
    async with world.reconcilers(count):
        await world.ask(*runs)
        await world.ended()
    assert world.states() == {run.name: "succeeded" for run in runs}
    assert world.double.doubled() == set()
    assert {run.run_id: world.double.completed[run.run_id] for run in runs} == {run.run_id: 1 for run in runs}
    assert world.column("delivery") == {"exactly-once" if policy else "at-least-once"}
    assert world.told("succeeded") == RUNS


@RECONCILERS
async def test_a_submission_that_is_taken_after_all_patience_is_seen_and_ended(
    world: World, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the policy and with a server slower than anybody waits, a run is made twice; it does not stay so."""
    monkeypatch.setattr(planning, "SETTLED_SECONDS", 0.1)
    world.double.policy = False
    world.double.programs = {"hello": FakeProgram("hello", endless=True)}
    world.double.faults = itertools.chain([Fault.TAKEN_LATE], itertools.repeat(None))
    run = asked("late")
    async with world.reconcilers(count):
        await world.ask(run)
        await world.until(lambda: world.told("duplicated") == 1, "the second execution to be told")
        await world.until(lambda: len(world.double.workflows) == 1, "one execution to be left")
        assert world.states() == {"late": "running"} or world.states() == {"late": "submitted"}
    assert world.column("duplicates") == {1}
    assert world.column("delivery") == {"at-least-once"}


OUTAGES = {
    "database": {"database_down": True},
    "kubernetes": {"kubernetes_down": True},
    "agent": {"agent_down": True},
    "slow-list": {"list_delay": 1.5},
}


@RECONCILERS
@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
async def test_an_outage_delays_and_is_seen(world: World, count: int, outage: dict[str, object]) -> None:
    well = {name: getattr(world.double, name) for name in outage}
    async with world.reconcilers(count):
        await world.ask(*(asked(f"before-{number}") for number in range(RUNS // 2)))
        await world.until(lambda: len(world.double.rows) > 3, "some runs to be under way")
        for name, value in outage.items():
            setattr(world.double, name, value)
        await world.ask(*(asked(f"during-{number}") for number in range(RUNS // 2)))
        await asyncio.sleep(1.5)
        if "database_down" in outage or "kubernetes_down" in outage:
            said = {str(reason) for reason in world.column("reason") if reason}
            assert any("KFP" in reason or "Kubernetes" in reason for reason in said), said
        for name, value in well.items():
            setattr(world.double, name, value)
        await world.ended()
    assert set(world.states().values()) == {"succeeded"}
    assert len(world.states()) == 2 * (RUNS // 2)
    assert world.double.doubled() == set()


@RECONCILERS
async def test_a_run_is_cancelled_wherever_it_stands(world: World, count: int) -> None:
    world.double.programs = {"hello": FakeProgram("hello", endless=True)}
    world.double.faults = all_faults(7 + count)
    runs = [asked(f"run-{number}") for number in range(RUNS)]
    async with world.reconcilers(count):
        await world.ask(*runs)
        await asyncio.sleep(0.5)
        async with world.database() as database:
            await LedgerRuns(database).admit("d" * 40, [], [run.path for run in runs])
        await world.ended()
        await world.until(
            lambda: all(each.completed for each in world.double.workflows.values()), "no Workflow to go on"
        )
    assert set(world.states().values()) == {"cancelled"}


async def test_a_run_that_kfp_refuses_fails_with_its_words(world: World) -> None:
    async with world.reconcilers(1):
        await world.ask(asked("wrong", parameters={"nope": 1}))
        await world.ended()
    assert world.states() == {"wrong": "failed"}
    (reason,) = world.column("reason")
    assert str(reason).startswith("not submitted: KFP refuses it: parameter(s) provided are not required")
    assert not world.double.workflows
