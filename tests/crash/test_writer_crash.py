"""The writer is killed at each of its steps, stopped, doubled, and loses its database; nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from intents.authority import Principal
from intents.identity import identify
from intents.tree import Tree
from reconciler.planning.writing import ABSENT, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.errors import Waiting
from reconciler.ports.requests import RequestState, RequestStatus
from reconciler.process_identity import end_group, identity_of
from reconciler.services.settings import PostgresRole
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers.tree_at_head import advanced
from tests.crash.writer_host import POINTS, Fate, serve
from tests.fixtures.trees import MODEL_1, model_spec
from tests.support.ledgers import Ledger
from tests.support.repositories import DEVELOPER, intent

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

PATIENCE_SECONDS = 90.0
CLIENTS = 20
ROUNDS = int(os.environ.get("ORDAIN_CRASH_ROUNDS", "1"))
"""How often the writer is killed at each step; `make test-crash` asks for more."""
RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
MODELS = MODEL_1.rpartition("/")[0]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.crash.writer_host"])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Host:
    """A writer's process."""

    process: ForkServerProcess

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode


@dataclass
class Place:
    """A repository, a database, and the writers that were started on them."""

    repository: GitRepository
    ledger: Ledger
    folder: Path
    hosts: list[Host] = field(default_factory=list)
    path: Path | None = None
    """Where the writers find the repository, if not where the tests do."""
    mounts_of: int | None = None
    """The process whose mounts the writers see."""

    def start(self, point: str = "never", deed: str = "die", **fate: Any) -> Host:
        dsn = self.ledger.dsn(PostgresRole.WORKER)
        fated = Fate(point, deed, self.folder, mounts_of=self.mounts_of, **fate)
        words = (self.path or self.repository.path, dsn, fated)
        host = Host(FORKS.Process(target=serve, args=words, daemon=True))
        host.process.start()
        self.hosts.append(host)
        return host

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def end(self) -> None:
        for host in self.hosts:
            identity = identity_of(host.pid)
            if identity is not None:
                asyncio.run(end_group(identity, 0))
            host.process.join()


@pytest.fixture
def place(repository: GitRepository, ledger: Ledger, tmp_path: Path) -> Iterator[Place]:
    made = Place(repository, ledger, tmp_path)
    yield made
    made.end()


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
        await asyncio.sleep(0.02)


def a_run(number: str, template: str = "train@1.0.0") -> WriteRequest:
    path = f"{RUNS}/run-{number}.yaml"
    spec = intent(path, {"template": template, "parameters": {"rounds": 1}})
    writes = (Write(path, WriteAction.PUT, spec, ABSENT),)
    return WriteRequest(RequestId(uuid4()), "acme", "fraud", f"Run {number}", Principal(DEVELOPER), writes)


def a_model(number: str) -> WriteRequest:
    writes = (Write(MODELS, WriteAction.ALLOCATE, intent(MODEL_1, model_spec("fraud", number[-1]))),)
    return WriteRequest(RequestId(uuid4()), "acme", "fraud", f"Model {number}", Principal("ordain-registry"), writes)


async def insist(queue: LedgerQueue, request: WriteRequest) -> None:
    """Put a request as a client does that must know it is kept: again until it is acknowledged."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await queue.put(request)
                return
            except Waiting:
                await asyncio.sleep(0.05)


@dataclass
class Asked:
    """What clients were told is kept."""

    good: list[WriteRequest] = field(default_factory=list)
    bad: list[WriteRequest] = field(default_factory=list)

    async def ask(self, queue: LedgerQueue, number: str) -> None:
        """Ask for two good things and a bad one, and wait for the answers: no client is ever far ahead."""
        good, wrong = [a_run(number), a_model(number)], a_run(f"bad-{number}", template="unknown@1.0.0")
        for request in good:
            await insist(queue, request)
            self.good.append(request)
        await insist(queue, wrong)
        self.bad.append(wrong)
        await answers(queue, [*good, wrong])


@asynccontextmanager
async def clients(queue: LedgerQueue) -> AsyncIterator[Asked]:
    """Let clients ask, all the time while the body runs."""
    asked, numbers, stopped = Asked(), itertools.count(), asyncio.Event()

    async def client() -> None:
        while not stopped.is_set():
            await asked.ask(queue, str(next(numbers)))

    tasks = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    try:
        yield asked
    finally:
        stopped.set()
        await asyncio.gather(*tasks)


async def answers(queue: LedgerQueue, requests: Sequence[WriteRequest]) -> list[RequestStatus]:
    """Return the answers, once every request has one."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                found = [await queue.status(each.id) for each in requests]
            except Waiting:
                found = [None]
            known = [each for each in found if each is not None and each.state is not RequestState.WAITING]
            if len(known) == len(found):
                return known
            await asyncio.sleep(0.1)


async def is_whole(place: Place, database: Database, asked: Asked) -> None:
    """Hold what git and the ledger have against what clients were told is kept."""
    queue, repository = LedgerQueue(database), place.repository
    good, bad = await answers(queue, asked.good), await answers(queue, asked.bad)
    assert {each.state for each in good} == {RequestState.COMMITTED}
    assert {each.state for each in bad} <= {RequestState.REFUSED}
    head = repository.head()
    assert head is not None
    history = repository.between(None, head)[1:]
    told = Counter(each.trailers["Ordain-Request"][0] for each in history)
    assert set(told.values()) <= {1}, "a request is one commit"
    assert {str(each.id) for each in good} <= told.keys()
    assert not {str(each.id) for each in bad} & told.keys()
    by_request = {each.trailers["Ordain-Request"][0]: each for each in history}
    for status in good:
        commit = by_request[str(status.id)]
        assert (status.commit, status.paths) == (commit.id, commit.trailers["Ordain-Intent"])
    assert await queue.cursor() == head
    is_sound(repository)
    is_projected(place.ledger, repository, head)


def is_sound(repository: GitRepository) -> None:
    check = ["git", "fsck", "--full", "--strict"]
    done = subprocess.run(check, cwd=repository.path, capture_output=True, check=False)
    assert (done.returncode, b"error" in done.stderr) == (0, False), done.stderr
    merges = ["git", "rev-list", "--min-parents=2", "--count", "main"]
    done = subprocess.run(merges, cwd=repository.path, capture_output=True, check=True)
    assert done.stdout.strip() == b"0"


def is_projected(ledger: Ledger, repository: GitRepository, head: str) -> None:
    """The projection is the tree, and every change of an intent was told of once."""
    tree = advanced(repository, Tree.empty(), None, head)
    history = repository.between(None, head)
    changes = [(each.id, change.path) for each in history for change in repository.changes(each.parent, each.id)]
    with ledger.connect() as connection:
        rows = dict[object, object](connection.execute("SELECT path, blob FROM intents").fetchall())  # type: ignore[arg-type]
        told = connection.execute("SELECT commit, data->>'path' FROM events").fetchall()
    assert rows == {path: document.blob for path in tree if (document := tree.get(path))}
    assert Counter(told) == Counter((commit, path) for commit, path in changes if identify(path))


async def test_killed_at_each_step_under_clients(place: Place) -> None:
    async with place.ledger.database() as database:
        queue = LedgerQueue(database)
        async with clients(queue) as asked:
            for point in POINTS * ROUNDS:
                host = place.start(point)
                await until(lambda host=host: host.poll() is not None, f"to die {point}")  # type: ignore[misc]
                assert host.returncode == -signal.SIGKILL
            place.start()
            await answers(queue, asked.good[-5:])
        await is_whole(place, database, asked)
        assert len(asked.good) > CLIENTS


@pytest.mark.parametrize("elsewhere", [False, True], ids=["on one machine", "on two"])
async def test_two_writers_at_once(place: Place, elsewhere: bool) -> None:
    async with place.ledger.database() as database:
        place.start(elsewhere=elsewhere)
        place.start(elsewhere=elsewhere)
        async with clients(LedgerQueue(database)) as asked:
            await until(lambda: len(asked.good) > 40, "enough requests")
        await is_whole(place, database, asked)


def take_the_lock_away(ledger: Ledger) -> None:
    """End the connection that holds the writer's lock, as a network does that is cut."""
    with ledger.connect() as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


@pytest.mark.parametrize("point", ["after-pack", "after-move"][:ROUNDS])
async def test_stopped_it_keeps_others_of_its_machine_out(place: Place, point: str) -> None:
    async with place.ledger.database() as database:
        queue = LedgerQueue(database)
        async with clients(queue) as asked:
            stopped = place.start(point, "stop")
            await until((place.folder / "paused").exists, "the first writer to stop")
            before = place.repository.head()
            place.start()
            take_the_lock_away(place.ledger)
            await until(lambda: "holds the lock writer" in place.log, "the second to be kept out by the file")
            assert place.repository.head() == before, "one that is stopped keeps the others out"
            os.kill(stopped.pid, signal.SIGCONT)
            await answers(queue, asked.good[-5:])
        await is_whole(place, database, asked)


@pytest.mark.parametrize(
    "point", ["after-verify", "before-close", "in-close", "after-pack", "after-move"][: 2 * ROUNDS]
)
async def test_stopped_through_a_takeover_and_continued(place: Place, point: str) -> None:
    async with place.ledger.database() as database:
        queue = LedgerQueue(database)
        async with clients(queue) as asked:
            stopped = place.start(point, "stop", elsewhere=True)
            await until((place.folder / "paused").exists, "the first writer to stop")
            take_the_lock_away(place.ledger)
            place.start(elsewhere=True)
            served = len(asked.good) + 2 * CLIENTS
            await until(lambda: len(asked.good) > served, "the second to take over")
            os.kill(stopped.pid, signal.SIGCONT)
            await until(lambda: "deciding anew" in place.log, "the first to notice")
            await answers(queue, asked.good[-5:])
        await is_whole(place, database, asked)


@pytest.mark.parametrize("point", ["after-move", "after-take", "after-pack", "before-close"][:ROUNDS])
async def test_postgres_is_killed_in_the_middle(place: Place, point: str) -> None:
    server = place.ledger.server.server
    async with place.ledger.database() as database:
        async with clients(LedgerQueue(database)) as asked:
            place.start(point, "pause")
            await until((place.folder / "paused").exists, f"it to come {point}")
            await asyncio.to_thread(server.kill)
            (place.folder / "go").touch()
            await asyncio.to_thread(server.start)
            served = len(asked.good) + 8
            await until(lambda: len(asked.good) > served, "clients to be served")
        await is_whole(place, database, asked)
