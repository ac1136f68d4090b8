"""`ordain rebuild` and `ordain adopt` on real Postgres and git, beside a writer at work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from intents.authority import Principal
from intents.identity import run_uid
from intents.tree import Tree
from reconciler.planning.past_runs import UNRECORDED
from reconciler.planning.writing import ABSENT, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.repository import MAIN
from reconciler.ports.requests import RequestState
from reconciler.services.settings import PostgresRole
from reconciler.stores.fake_objects import MemoryObjects
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.anew import PostgresAnew
from reconciler.stores.ledger.database import Database, migrate
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.workers.loop import Turned, Wake, run_loop, wake_on
from reconciler.workers.past_runs import PastRuns
from reconciler.workers.rebuild import NothingToDo, Rebuild
from reconciler.workers.run_cursor import RunCursor
from reconciler.workers.run_orchestrator import RECORDS
from reconciler.workers.tree_at_head import advanced
from reconciler.workers.writer import Writer
from tests.fixtures.trees import GLOBEX
from tests.support.ledgers import Ledger, PostgresServer
from tests.support.repositories import DEVELOPER, PLATFORM, commit, intent, start_specs

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

UID = UUID("00000000-0000-0000-0000-00000000000a")
RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
SPEC = {"template": "train@1.0.0", "parameters": {"rounds": 1}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def path_of(run: str) -> str:
    return f"{RUNS}/{run}.yaml"


def body_of(run: str, attempt: int = 1) -> bytes:
    return intent(path_of(run), {**SPEC, "attempt": attempt})


def a_run(name: str, attempt: int = 1) -> dict[str, bytes | None]:
    return {path_of(name): body_of(name, attempt)}


@dataclass
class Place:
    """A repository with what makes a ledger anew; the database is fresh unless it is given."""

    repository: GitRepository
    database: Database
    objects: MemoryObjects

    def __post_init__(self) -> None:
        anew = PostgresAnew(self.database)
        self.queue, self.runs = LedgerQueue(self.database), LedgerRuns(self.database)
        self.past = PastRuns(self.repository, anew, self.objects, UID)
        self.cursor = RunCursor(self.repository, self.runs, UID, self.past)
        self.work = Rebuild(self.repository, anew, self.queue, self.runs, self.past)

    @property
    def head(self) -> str:
        return self.repository.head() or ""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Let the writer work, and wait until it has begun."""
        wake, queue = Wake(), LedgerQueue(self.database)
        writer = Writer(self.repository, queue, PLATFORM, lambda: datetime.now(UTC))
        tasks = [run_loop("writer", lambda: writer.serve(wake), wake), wake_on(queue.arrivals, wake)]
        running = [asyncio.create_task(task) for task in tasks]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def follow(self) -> None:
        """Close and admit what main has, as the writer and the run cursor do."""
        await Writer(self.repository, self.queue, PLATFORM, lambda: datetime.now(UTC)).recover()
        while await self.cursor.turn() is Turned.ONE:
            pass

    async def ask(self, run: str) -> RequestState:
        """Ask for a run and wait for the answer."""
        writes = (Write(path_of(run), WriteAction.PUT, body_of(run), ABSENT),)
        request = WriteRequest(RequestId(uuid4()), "acme", "fraud", "Run", Principal(DEVELOPER), writes)
        await until_put(self.queue, request)
        async with asyncio.timeout(60):
            while True:
                status = await self.queue.status(request.id)
                if status is not None and status.state is not RequestState.WAITING:
                    return status.state
                await asyncio.sleep(0.02)


async def until_put(queue: LedgerQueue, request: WriteRequest) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await queue.put(request)
                return
            except Waiting:
                await asyncio.sleep(0.05)


@pytest.fixture
async def place(repository: GitRepository, ledger: Ledger) -> AsyncIterator[Place]:
    async with ledger.database() as database:
        yield Place(repository, database, MemoryObjects())


def states(ledger: Ledger) -> dict[tuple[str, int], tuple[str, str, str]]:
    """Return state, reason and model of all runs."""
    with ledger.connect() as connection:
        rows = connection.execute("SELECT name, attempt, state, reason, model FROM runs").fetchall()
    return {(str(row[0]), int(str(row[1]))): (str(row[2]), str(row[3]), str(row[4])) for row in rows}


def projection(ledger: Ledger) -> object:
    with ledger.connect() as connection:
        return connection.execute("SELECT * FROM intents ORDER BY path").fetchall()


def is_projected(ledger: Ledger, repository: GitRepository) -> None:
    tree = advanced(repository, Tree.empty(), None, repository.head() or "")
    with ledger.connect() as connection:
        rows = dict[object, object](connection.execute("SELECT path, blob FROM intents").fetchall())  # type: ignore[arg-type]
    assert rows == {path: document.blob for path in tree if (document := tree.get(path))}


async def put_record(objects: MemoryObjects, run: str, state: str, attempt: int = 1, **more: object) -> None:
    uid = run_uid(UID, path_of(run))
    record = {"uid": str(uid), "attempt": attempt, "state": state, "reason": "", "model": "", "outputs": [], **more}
    await objects.put(RECORDS, f"runs/{uid}/{attempt}.json", json.dumps(record).encode())


async def test_a_damaged_projection_is_made_again(place: Place, ledger: Ledger) -> None:
    commit(place.repository, a_run("one"))
    commit(place.repository, {GLOBEX: None})
    await place.follow()
    whole, runs = projection(ledger), states(ledger)
    with ledger.connect() as owner:
        told = owner.execute("SELECT count(*) FROM events").fetchone()
        owner.execute("DELETE FROM intents WHERE path LIKE '%tenant.yaml'")
        owner.execute("UPDATE intents SET blob = 'wrong' WHERE kind = 'Run'")
        owner.execute("INSERT INTO intents VALUES ('never', 'acme', '', 'Run', 'never', '', '', '', now())")
    done = await place.work.rebuild()
    assert (done.head, done.commits) == (place.head, 3)
    assert (projection(ledger), states(ledger)) == (whole, runs), "and what runs are under way stays"
    with ledger.connect() as owner:
        assert owner.execute("SELECT count(*) FROM events").fetchone() == told, "nothing is told twice"


async def test_the_writer_goes_on_from_what_was_rebuilt(place: Place, ledger: Ledger) -> None:
    async with place.writing():
        for number in range(5):
            made, state = await asyncio.gather(place.work.rebuild(), place.ask(f"beside-{number}"))
            assert (made.recalled.unknown, state) == (0, RequestState.COMMITTED)
    assert await place.queue.cursor() == place.head
    is_projected(ledger, place.repository)


async def test_of_a_lost_ledger_no_run_is_begun_again(
    repository: GitRepository, postgres_server: PostgresServer
) -> None:
    objects = MemoryObjects()
    commit(repository, {**a_run("recorded"), **a_run("unrecorded"), **a_run("torn"), **a_run("again")})
    commit(repository, {**a_run("again", attempt=2), path_of("unrecorded"): None})
    await put_record(objects, "recorded", "succeeded", model="fraud@3")
    await put_record(objects, "again", "failed", reason="out of memory")
    await objects.put(RECORDS, f"runs/{run_uid(UID, path_of('torn'))}/1.json", b"{")
    ledger = postgres_server.fresh(migrated=False)
    await migrate(ledger.dsn(PostgresRole.OWNER), repository.head())
    async with ledger.database() as database:
        place = Place(repository, database, objects)
        await place.follow()
        found = states(ledger)
        assert found["recorded", 1] == ("succeeded", "", "fraud@3")
        assert found["again", 1] == ("failed", "out of memory", "")
        assert found["again", 2] == found["unrecorded", 1] == ("unknown", UNRECORDED, "")
        assert found["torn", 1][0] == "unknown"
        assert "raise `attempt`" in found["torn", 1][1]
        async with place.runs.lease_due() as due:
            assert due is None
        commit(repository, {**a_run("again", attempt=3), **a_run("new")})
        await place.follow()
        assert states(ledger)["again", 3][0] == states(ledger)["new", 1][0] == "created"
        is_projected(ledger, repository)


async def test_a_ledger_that_began_with_main_runs_all(place: Place, ledger: Ledger) -> None:
    commit(place.repository, a_run("one"))
    done = await place.work.rebuild()
    assert (done.recalled.recorded, done.recalled.unknown) == (0, 0)
    await place.follow()
    assert states(ledger)["one", 1][0] == "created"


async def rewritten(place: Place) -> str:
    """Rewrite main: of the runs `kept` and `gone` the second and GLOBEX are not in it, `new` is."""
    seed = place.head
    commit(place.repository, a_run("kept"))
    known = commit(place.repository, a_run("gone"))
    await place.follow()
    place.repository.move(MAIN, known, seed)
    commit(place.repository, {**a_run("kept", attempt=2), **a_run("new")})
    return commit(place.repository, {GLOBEX: None})


async def test_a_rewritten_main_stops_until_it_is_adopted(place: Place, ledger: Ledger) -> None:
    adopted = await rewritten(place)
    with pytest.raises(Stalled, match="history-rewritten"):
        await place.follow()
    with pytest.raises(Stalled, match="history-rewritten"):
        await place.cursor.turn()
    with pytest.raises(NothingToDo, match="adopt it first"):
        await place.work.rebuild()
    done = await place.work.adopt(adopted)
    assert list(done.paths) == [path_of("gone"), path_of("kept"), path_of("new"), GLOBEX]
    assert [run.path for run in done.runs] == [path_of("new")]
    assert (await place.queue.cursor(), await place.runs.cursor(), place.head) == (adopted,) * 3
    is_projected(ledger, place.repository)
    assert states(ledger).keys() == {("kept", 1), ("gone", 1), ("new", 1)}, "of uids that are known nothing is new"
    with ledger.connect() as owner:
        assert owner.execute("SELECT name FROM runs WHERE cancelled").fetchall() == [("gone",)]
    with pytest.raises(NothingToDo, match="descends from"):
        await place.work.adopt(adopted)


async def test_a_writer_that_is_up_goes_on_once_main_is_adopted(place: Place, ledger: Ledger) -> None:
    async with place.writing():
        assert await place.ask("before") is RequestState.COMMITTED
        known = place.head
        seed = place.repository.between(None, known)[0].id
        place.repository.move(MAIN, known, seed)
        rewritten_to = commit(place.repository, {GLOBEX: None})
        await until(lambda: told(ledger).startswith("history-rewritten"))
        await place.work.adopt(rewritten_to)
        assert await place.ask("after") is RequestState.COMMITTED
    assert told(ledger) == ""
    assert place.repository.descends(place.head, rewritten_to)
    is_projected(ledger, place.repository)


async def test_where_the_known_commit_is_gone_all_is_made_anew(place: Place, ledger: Ledger, tmp_path: Path) -> None:
    await rewritten(place)
    specs = {path: spec for path, spec in start_specs().items() if path != GLOBEX}
    fresh = GitRepository.create(tmp_path / "other.git")
    head = commit(fresh, {path: intent(path, spec) for path, spec in specs.items()} | a_run("kept"))
    elsewhere = Place(fresh, place.database, place.objects)
    done = await elsewhere.work.adopt(head)
    assert (list(done.runs), await place.queue.cursor()) == ([], head)
    is_projected(ledger, fresh)


def told(ledger: Ledger) -> str:
    with ledger.connect() as owner:
        row = owner.execute("SELECT reason FROM stalls").fetchone()
    return "" if row is None else str(row[0])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)
