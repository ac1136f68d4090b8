"""Orchestrators are killed between any two steps of many runs: each run is executed, registered and ended once."""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from intents.authority import Principal
from reconciler.drivers.local.run_folder import kept
from reconciler.planning.writing import ABSENT, ANY, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.requests import RequestState
from reconciler.services.settings import PostgresRole
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.objects.s3 import S3Access, S3Objects
from reconciler.workers.loop import Wake, run_loop
from reconciler.workers.run_orchestrator import LOOK_AGAIN_SECONDS
from reconciler.workers.writer import Writer
from tests.crash.orchestrator_host import POINTS, Place, serve
from tests.support.ledgers import Ledger
from tests.support.repositories import DEVELOPER, PLATFORM, intent

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

PATIENCE_SECONDS = 90.0
ROUNDS = int(os.environ.get("ORDAIN_CRASH_ROUNDS", "1"))
"""How often an orchestrator is killed at each point; `make test-crash` asks for more."""
AT_ONCE = 6
"""Runs under way, fewer than the project may have."""
CANCELLED_AFTER_SECONDS = 0.5
"""By then most runs are at the engine."""
RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
TERMINAL = {"succeeded", "failed", "cancelled"}
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.crash.orchestrator_host"])


@dataclass(frozen=True)
class Sort:
    """A run that ends in one way, whatever happens to who looks after it."""

    ends: str
    rounds: int = 10
    label: str = ""
    registers: bool = False

    def spec(self, **changes: str) -> Mapping[str, Any]:
        register = {"register": {"model": "fraud"}} if self.registers else {}
        parameters: dict[str, Any] = {"rounds": self.rounds}
        parameters |= {"label": self.label} if self.label else {}
        return {"template": "train@1.0.0", "parameters": parameters, **register, **changes}


SORTS = {
    "registered": Sort("succeeded", registers=True),
    "plain": Sort("succeeded"),
    "cancelled": Sort("cancelled", rounds=500),
    "lost": Sort("failed", label="dies"),
    "no-model": Sort("failed", label="loose", registers=True),
}


class PatientQueue(LedgerQueue):
    """Lets registrations wait longer than it takes to look at them again, as a busy writer does."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._since: dict[UUID, float] = {}

    async def waiting(self, limit: int) -> list[WriteRequest]:
        found = await super().waiting(limit)
        return [each for each in found if each.principal.user == DEVELOPER or self._is_late(each.id)]

    def _is_late(self, request: UUID) -> bool:
        return time.monotonic() - self._since.setdefault(request, time.monotonic()) > 2 * LOOK_AGAIN_SECONDS


@dataclass
class World:
    """A repository with its writer, a ledger, object storage, an engine, and the orchestrators that were started."""

    place: Place
    ledger: psycopg.Connection[tuple[object, ...]]
    queue: LedgerQueue
    repository: GitRepository
    wake_writer: Wake
    hosts: list[ForkServerProcess] = field(default_factory=list)
    asked: dict[str, Sort] = field(default_factory=dict)
    """By name of the run."""

    def start(self, point: str = "never", *, orchestrators: int = 1, stops: bool = False) -> ForkServerProcess:
        words = {"orchestrators": orchestrators, "stops": stops}
        host = FORKS.Process(target=serve, args=(self.place, point), kwargs=words, daemon=True)
        host.start()
        self.hosts.append(host)
        return host

    async def ask(self, name: str, sort: Sort) -> None:
        path = f"{RUNS}/{name}.yaml"
        await self._commit(Write(path, WriteAction.PUT, intent(path, sort.spec()), ABSENT))
        if sort.ends == "cancelled":
            await asyncio.sleep(CANCELLED_AFTER_SECONDS)
            await self._commit(Write(path, WriteAction.PUT, intent(path, sort.spec(desired="Cancelled")), ANY))
        self.asked[name] = sort

    async def _commit(self, write: Write) -> None:
        request = WriteRequest(
            RequestId(uuid4()), "acme", "fraud", "Ask", Principal(DEVELOPER), (write,), email=DEVELOPER
        )
        await self.queue.put(request)
        self.wake_writer()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (status := await self.queue.status(request.id)) is None or status.state is RequestState.WAITING:
                await asyncio.sleep(0.02)
        assert status.state is RequestState.COMMITTED, status

    def rows(self) -> list[dict[str, Any]]:
        found = self.ledger.execute("SELECT name, uid, attempt, run_id, state, reason, model FROM runs").fetchall()
        names = ("name", "uid", "attempt", "run_id", "state", "reason", "model")
        return [dict(zip(names, row, strict=True)) for row in found]

    def under_way(self) -> int:
        return sum(row["state"] not in TERMINAL for row in self.rows())

    def all_ended(self) -> bool:
        return len(self.rows()) == len(self.asked) and not self.under_way()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(
    repository: GitRepository, ledger: Ledger, object_storage: S3Access, tmp_path: Path
) -> AsyncIterator[World]:
    dsn = ledger.dsn(PostgresRole.WORKER)
    place = Place(repository.path, dsn, tmp_path / "engine", object_storage)
    place.lay_out()
    database, wake = Database(dsn), Wake()
    await database.open()
    queue = PatientQueue(database)
    writer = Writer(repository, queue, PLATFORM, lambda: datetime.now(UTC))
    writing = asyncio.create_task(run_loop("writer", lambda: writer.serve(wake), wake))
    with ledger.connect() as connection:
        made = World(place, connection, queue, repository, wake)
        yield made
    for host in made.hosts:
        host.kill()
        host.join()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await database.close()


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def asking(world: World, prefix: str) -> AsyncIterator[None]:
    """Keep some runs of every sort under way while the body runs."""
    done = asyncio.Event()

    async def client() -> None:
        for number, sort in enumerate(itertools.cycle(SORTS)):
            while world.under_way() >= AT_ONCE and not done.is_set():
                await asyncio.sleep(0.02)
            if done.is_set():
                return
            await world.ask(f"{prefix}-{number}-{sort}", SORTS[sort])

    task = asyncio.create_task(client())
    try:
        yield
    finally:
        done.set()
        await task


def executions(place: Place) -> Counter[str]:
    """Return how often each run's task was begun, by the engine's id of the run."""
    lines = (place.engine / "executed").read_text(encoding="ascii").splitlines()
    return Counter(line.removeprefix("run-") for line in lines)


async def is_whole(world: World) -> None:
    """Hold engine, ledger, git, events and records against what was asked."""
    await until(lambda: not kept(world.place.proc_dir), "the engine to have forgotten every run")
    begun, rows = executions(world.place), world.rows()
    assert [(row["name"], row["attempt"]) for row in sorted(rows, key=lambda row: row["name"])] == [
        (name, 1) for name in sorted(world.asked)
    ]
    for row in rows:
        sort = world.asked[row["name"]]
        assert row["state"] == sort.ends, row
        assert begun[row["run_id"]] == 1 or (sort.ends == "cancelled" and not begun[row["run_id"]]), row
    registered = registrations(world.repository)
    good = {row["name"]: row["model"] for row in rows if world.asked[row["name"]] == SORTS["registered"]}
    assert registered == good
    assert sorted(registered.values()) == sorted(f"fraud@{number}" for number in range(3, 3 + len(good)))
    is_told_once(world)
    await is_recorded(world, rows)


def registrations(repository: GitRepository) -> dict[str, str]:
    """Return the model version that each run registered, by the run's name; each has one commit."""
    head = repository.head()
    assert head is not None
    found: dict[str, str] = {}
    for commit in repository.between(None, head):
        for cause in commit.trailers.get("Ordain-Cause", ()):
            name = cause.removeprefix(f"run {RUNS}/").removesuffix(".yaml attempt 1")
            assert name not in found, "a registration is one commit"
            found[name] = "fraud@" + commit.trailers["Ordain-Intent"][0].rpartition("/")[2].removesuffix(".yaml")
    return found


def is_told_once(world: World) -> None:
    told = Counter(world.ledger.execute("SELECT name, verb FROM events WHERE noun = 'run'").fetchall())
    told = Counter({(name, verb): count for (name, verb), count in told.items() if verb != "committed"})
    assert set(told.values()) == {1}, told
    for name, sort in world.asked.items():
        assert {verb for each, verb in told if each == name} & TERMINAL == {sort.ends}


async def is_recorded(world: World, rows: list[dict[str, Any]]) -> None:
    objects = S3Objects(world.place.s3)
    for row in rows:
        assert [each.key for each in await objects.list("records", f"runs/{row['uid']}/")] == [
            f"runs/{row['uid']}/1.json"
        ]
        record = json.loads(await objects.get("records", f"runs/{row['uid']}/1.json") or b"")
        assert [record[name] for name in ("state", "reason", "model")] == [
            row[name] for name in ("state", "reason", "model")
        ]


@pytest.mark.parametrize(("dying", "beside"), [(1, 0), (2, 1)], ids=["1", "3"])
async def test_killed_between_any_two_steps(world: World, dying: int, beside: int) -> None:
    """`dying` orchestrators end together wherever they are, once one of them reaches the point."""
    others = [world.start() for _ in range(beside)]
    async with asking(world, f"by-{dying}"):
        for point in POINTS * ROUNDS:
            host = world.start(point, orchestrators=dying)
            await until(lambda host=host: host.exitcode is not None, f"to die at {point}")  # type: ignore[misc]
            assert host.exitcode == -signal.SIGKILL
    world.start()
    await until(world.all_ended, "every run to end")
    assert [host.exitcode for host in others] == [None] * beside
    await is_whole(world)


SLEEPS = tuple(f"before-{action}" for action in ("Submit", "Finish", "Claim", "Record", "Register"))


@pytest.mark.parametrize("point", SLEEPS[: 1 + ROUNDS])
async def test_one_that_slept_while_another_took_over_changes_nothing(world: World, point: str) -> None:
    sleeper = world.start(point, stops=True)
    await world.ask(f"slept-{point.lower()}", SORTS["registered"])
    await until(world.place.paused.exists, "the first to be stopped")
    world.start()
    await until(world.all_ended, "the second to bring the run to its end")
    assert sleeper.pid is not None
    os.kill(sleeper.pid, signal.SIGCONT)
    said = world.place.log
    await until(lambda: b"the lease went to another" in said.read_bytes(), "the first to see that it is late")
    await is_whole(world)
