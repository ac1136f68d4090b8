"""Runs on Kubeflow Pipelines: submissions a second, submissions under faults, and what watching costs.

The server is the double in a process of its own, the ledger is Postgres with fsync, and the reconciler's loops run in
this process. What the double takes is part of every figure; a real server makes 5–60 runs a second.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from rich.table import Table

from reconciler.drivers.fake_pipelines import FakeProgram
from reconciler.drivers.kubernetes import kfp_api
from reconciler.services.postgres import postgres
from reconciler.services.settings import PostgresRole, Settings
from reconciler.stores.fake_objects import MemoryObjects
from reconciler.stores.ledger.database import Database, migrate
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.workers import run_orchestrator
from tests.bench.tables import table, timed
from tests.fixtures.parts import settings_at
from tests.support.kfp_double import Fault, KfpDouble
from tests.support.kfp_platform import AS_ON_A_PLATFORM, PACKAGES, QUICK, Pace, asked, reconciler_on, running
from tests.support.kfp_server import serving
from tests.support.servers import Server

SUBMITTED = 500
RUNS = 1_000
FAULTED = 1_000
WATCHED = 1_000
WATCH_SECONDS = 30.0
ORCHESTRATORS = 4
"""Loops of one reconciler, as the composition root has them."""
PATIENCE_SECONDS = 300.0
SPAWN = multiprocessing.get_context("spawn")


def tables(_: Path) -> Iterator[Table]:
    """Measure each on a ledger and a double of its own."""
    logging.disable(logging.ERROR)  # faults are what the reconciler talks about
    yield uvloop.run(measure_submissions())
    yield uvloop.run(measure_faults())
    yield uvloop.run(measure_watching())


async def measure_submissions() -> Table:
    """Ask for runs at once, and wait until the ledger has all of them as submitted."""
    found = table(f"{SUBMITTED} submissions to KFP", "by", "a second", "requests each")
    async with world(endless=True) as made:
        seconds = await made.submit(SUBMITTED)
        requests = made.double.counts()["requests"]
        found.add_row("one reconciler", f"{SUBMITTED / seconds:.0f}", f"{requests / SUBMITTED:.1f}")
    with double(endless=True) as plain:
        seconds, _ = timed(lambda: submit_by_client(plain.address, SUBMITTED))
        requests = plain.counts()["requests"]
        found.add_row("kfp.Client, one after another", f"{SUBMITTED / seconds:.0f}", f"{requests / SUBMITTED:.1f}")
    return found


def submit_by_client(address: str, count: int) -> None:
    """Submit as a script does, without any promise."""
    from kfp import Client  # noqa: PLC0415 - takes seconds

    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        client = Client(host=address)
        for number in range(count):
            client.create_run_from_pipeline_package(
                str(PACKAGES["hello"]), arguments={"echo": "you"}, run_name=f"run-{number}", experiment_name="plain"
            )


async def measure_faults() -> Table:
    """Let the first so many submissions meet a fault each, and count what was executed."""
    # The double is late after 0.5 s instead of minutes; how long anybody waits is shortened with it.
    kfp_api.READ_SECONDS, kfp_api.WRITE_SECONDS = (0.3, 0.3), (0.3, 0.3)
    run_orchestrator.UNANSWERED_SECONDS = (0.1, 1.0)
    found = table(f"{RUNS} runs, of whose submissions {FAULTED} meet a fault", "", "")
    for reconcilers in (1, 3):
        async with world(faults=FAULTED) as made:
            seconds = await made.finish(RUNS, reconcilers)
            counts = made.double.counts()
            lost = RUNS - made.count("state = 'succeeded'")
        found.add_row(f"{reconcilers} reconciler{'s' * (reconcilers > 1)}: executed twice", str(counts["doubled"]))
        found.add_row("  lost", str(lost))
        found.add_row("  faults met", str(counts["faults"]))
        found.add_row("  begun again, as KFP took a Workflow without a row away", str(counts["taken away"]))
        found.add_row("  seconds until all had succeeded", f"{seconds:.0f}")
    return found


async def measure_watching() -> Table:
    """Leave runs going on, and see what their watch takes."""
    found = table(f"watching {WATCHED} runs that go on, {WATCH_SECONDS:.0f} s", "", "")
    async with world(endless=True) as made:
        await made.submit(WATCHED)
        async with made.reconcilers(1, AS_ON_A_PLATFORM):
            await made.until("state = 'running'", WATCHED)
            await asyncio.sleep(AS_ON_A_PLATFORM.watch)
            before, began, used = made.double.counts(), time.perf_counter(), time.process_time()
            await asyncio.sleep(WATCH_SECONDS)
            share = (time.process_time() - used) / (time.perf_counter() - began)
            after = made.double.counts()
    found.add_row("share of one core, the whole reconciler", f"{share:.1%}")
    found.add_row("requests a second", f"{(after['requests'] - before['requests']) / WATCH_SECONDS:.1f}")
    return found


@dataclass
class Double:
    """The double in its process."""

    address: str
    _pipe: Connection

    def counts(self) -> Mapping[str, int]:
        """Return what it has counted so far."""
        self._pipe.send("count")
        found: Mapping[str, int] = self._pipe.recv()
        return found


@contextmanager
def double(**words: Any) -> Iterator[Double]:
    """Start the double, and end it after the body."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve_double, args=(theirs,), kwargs=words, daemon=True)
    process.start()
    try:
        yield Double(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _serve_double(pipe: Connection, *, endless: bool = False, faults: int = 0) -> None:
    met = Met(faults)
    made = KfpDouble({"hello": FakeProgram("hello", endless=endless)}, late_seconds=0.5, faults=iter(met))
    with serving(made) as address:
        pipe.send(address)
        while pipe.recv():
            requests = sum(count for route, count in made.asked.items() if route != "GET healthz")
            pipe.send(
                {
                    "doubled": len(made.doubled()),
                    "taken away": sum(made.taken_away.values()),
                    "requests": requests,
                    "faults": met.count,
                }
            )


@dataclass
class Met:
    """So many faults of every sort, the same each time, then none."""

    most: int
    count: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(6))  # noqa: S311 - repeats a measurement

    def __iter__(self) -> Iterator[Fault | None]:
        """Yield for ever."""
        while True:
            meets = self.count < self.most
            self.count += meets
            yield self._chance.choice(list(Fault)) if meets else None


@dataclass
class World:
    """A ledger and a double."""

    settings: Settings
    double: Double
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def submit(self, count: int) -> float:
        """Submit so many runs and return the seconds it took."""
        await self._ask(count)
        began = time.perf_counter()
        async with self.reconcilers(1, QUICK, sweeps=False):
            await self.until("state IN ('submitted', 'running')", count)
            return time.perf_counter() - began

    async def finish(self, count: int, reconcilers: int) -> float:
        """Bring so many runs to their end and return the seconds it took."""
        await self._ask(count)
        began = time.perf_counter()
        async with self.reconcilers(reconcilers, QUICK._replace(watch=0.5, sweep=1.0)):
            await self.until("state IN ('succeeded', 'failed', 'cancelled')", count)
            return time.perf_counter() - began

    @asynccontextmanager
    async def reconcilers(self, count: int, pace: Pace, *, sweeps: bool = True) -> AsyncIterator[None]:
        """Run reconcilers beside the body."""
        if count == 0:
            yield
            return
        dsn = self.settings.postgres_dsn(PostgresRole.WORKER)
        async with (
            reconciler_on(self.double.address, dsn, self.objects) as reconciler,
            running(*reconciler.loops(ORCHESTRATORS, sweeps=sweeps, pace=pace)),
            self.reconcilers(count - 1, pace, sweeps=False),
        ):
            yield

    async def until(self, condition: str, count: int) -> None:
        """Wait until so many rows are like that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.count(condition) < count:
                await asyncio.sleep(0.1)

    def count(self, condition: str) -> int:
        """Return how many rows are like that."""
        row = self._connection.execute(f"SELECT count(*) FROM runs WHERE {condition}").fetchone()  # noqa: S608 - ours
        return int(row[0]) if row else 0

    @cached_property
    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.settings.postgres_dsn(PostgresRole.OWNER), autocommit=True)

    async def _ask(self, count: int) -> None:
        database = Database(self.settings.postgres_dsn(PostgresRole.WORKER))
        await database.open()
        await LedgerRuns(database).admit("c" * 40, [asked(f"run-{next(self._numbers)}") for _ in range(count)], [])
        await database.close()


@asynccontextmanager
async def world(**words: Any) -> AsyncIterator[World]:
    """Start Postgres and the double; end and remove everything after the body."""
    root = Path(tempfile.mkdtemp(prefix="ordain-"))  # short: unix sockets lie in it
    settings = settings_at(root)
    # On a loop of its own: how it is started is the supervisor's, which is not on uvloop.
    server = Server(await asyncio.to_thread(lambda: asyncio.run(postgres(settings))))
    try:
        await asyncio.to_thread(server.start)
        await migrate(settings.postgres_dsn(PostgresRole.OWNER))
        with double(**words) as running_double:
            yield World(settings, running_double)
    finally:
        await asyncio.to_thread(server.kill)
        shutil.rmtree(root)
