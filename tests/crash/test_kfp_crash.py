"""Reconcilers on KFP are killed between any two steps of many runs: each run is executed once, and told once."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psycopg
import pytest

from reconciler.drivers.fake_pipelines import FakeProgram
from reconciler.services.settings import PostgresRole
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.stores.objects.s3 import S3Access
from tests.crash.kfp_host import POINTS, Place, serve
from tests.support.kfp_double import KfpDouble
from tests.support.kfp_platform import asked
from tests.support.kfp_server import serving
from tests.support.ledgers import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

PATIENCE_SECONDS = 60.0
AT_ONCE = 4
"""Runs under way while a reconciler is waited for to die."""
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.crash.kfp_host"])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class World:
    """The double, the ledger and the reconcilers that were started."""

    double: KfpDouble
    place: Place
    ledger: Ledger
    connection: psycopg.Connection[tuple[object, ...]]
    hosts: list[ForkServerProcess] = field(default_factory=list)
    runs: int = 0

    def start(self, point: str = "never") -> ForkServerProcess:
        host = FORKS.Process(target=serve, args=(self.place, point), daemon=True)
        host.start()
        self.hosts.append(host)
        return host

    async def ask(self) -> None:
        self.runs += 1
        async with self.ledger.database() as database:
            await LedgerRuns(database).admit("c" * 40, [asked(f"run-{self.runs}")], [])

    def under_way(self) -> int:
        row = self.connection.execute(
            "SELECT count(*) FROM runs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')"
        ).fetchone()
        assert row is not None
        return int(str(row[0]))


@pytest.fixture
def world(ledger: Ledger, object_storage: S3Access, tmp_path: Path) -> Iterator[World]:
    double = KfpDouble({"hello": FakeProgram("hello")})
    with serving(double) as address, ledger.connect() as connection:
        place = Place(address, ledger.dsn(PostgresRole.WORKER), object_storage, tmp_path / "log")
        made = World(double, place, ledger, connection)
        yield made
        for host in made.hosts:
            host.kill()
            host.join()


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("beside", [0, 2], ids=["1", "3"])
async def test_killed_between_any_two_steps(world: World, beside: int) -> None:
    """One reconciler after another dies, at each point; `beside` of them live on."""
    for _ in range(beside):
        world.start()
    for point in POINTS:
        host = world.start(point)
        while host.exitcode is None:
            if world.under_way() < AT_ONCE:
                await world.ask()
            await asyncio.sleep(0.02)
        assert host.exitcode == -signal.SIGKILL
    world.start()
    await until(lambda: not world.under_way(), "every run to end")
    await until(lambda: all(row.storage_state == "ARCHIVED" for row in world.double.rows.values()), "tidy lists")
    assert set(world.double.completed.values()) == {1}
    assert len(world.double.completed) == len(world.double.rows) == world.runs
    assert not world.double.doubled()
    told = Counter(world.connection.execute("SELECT name, verb FROM events WHERE verb <> 'committed'").fetchall())
    assert set(told.values()) == {1}, told
    assert sum(verb == "succeeded" for _, verb in told) == world.runs
