"""The WriterQueue port on real Postgres, and what the ledger's roles may see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import psycopg.errors
import pytest

from intents.authority import Principal
from intents.identity import identify
from intents.problems import Problem
from reconciler.planning.events import committed_fact
from reconciler.planning.writing import ABSENT, Refused, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.errors import Conflict
from reconciler.ports.requests import Closing, Projected, RequestState
from reconciler.services.settings import PostgresRole
from reconciler.stores.ledger.database import Database, migrate
from reconciler.stores.ledger.events import LedgerOutbox
from reconciler.stores.ledger.requests import LedgerQueue
from tests.support.ledgers import Ledger, PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

PATH = "tenants/acme/projects/fraud/runs/2026-11-23/first.yaml"
TENANT_TABLES = ("write_requests", "intents", "runs", "run_tasks", "deployments", "conditions", "events")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(ledger: Ledger) -> AsyncIterator[Database]:
    async with ledger.database() as opened:
        yield opened


@pytest.fixture
def queue(database: Database) -> LedgerQueue:
    return LedgerQueue(database)


def request(tenant: str = "acme", **more: object) -> WriteRequest:
    made = WriteRequest(
        id=RequestId(uuid4()),
        tenant=tenant,
        project="fraud",
        subject="Ask",
        principal=Principal("dev@acme.example", frozenset({"b", "a"})),
        writes=(Write(PATH, WriteAction.PUT, "spec: {ü: 1}".encode(), ABSENT), Write("x", WriteAction.GUARD)),
        email="dev@acme.example",
        on_behalf_of="ana",
        cause="because",
        body="evidence",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def closing(asked: WriteRequest | None, commit: str, blob: str | None = "b" * 40) -> Closing:
    who = identify(PATH)
    assert who is not None
    return Closing(
        commit=commit,
        at=datetime(2026, 11, 23, tzinfo=UTC),
        author="dev",
        request=asked.id if asked else None,
        paths=(PATH,),
        projected=(Projected(PATH, "acme", "fraud", "Run", "first", blob),),
        facts=(committed_fact(who, PATH, blob, commit, str(asked.id if asked else "")),),
    )


def problem(message: str = "no") -> Problem:
    return Problem("unknown-template", PATH, 3, 5, message, "choose another")


async def ids(queue: LedgerQueue) -> Sequence[UUID]:
    return [each.id for each in await queue.waiting(100)]


async def test_requests_come_back_whole_and_in_order(queue: LedgerQueue) -> None:
    asked = [request() for _ in range(5)]
    for each in asked:
        await queue.put(each)
    assert list(await queue.waiting(100)) == asked
    assert list(await queue.waiting(2)) == asked[:2]


async def test_putting_twice_changes_nothing(queue: LedgerQueue) -> None:
    first, second = request(), request()
    for each in (first, second, replace(first, subject="Another")):
        await queue.put(each)
    assert list(await queue.waiting(100)) == [first, second]
    await queue.close([closing(first, "1" * 40)], (), "1" * 40)
    await queue.put(first)
    assert await ids(queue) == [second.id]


async def test_an_unknown_request_has_no_status(queue: LedgerQueue) -> None:
    assert await queue.status(uuid4()) is None


async def test_closing_answers_projects_tells_and_moves_the_cursor(
    queue: LedgerQueue, database: Database, ledger: Ledger
) -> None:
    asked, bad, stale = request(), request(), request()
    for each in (asked, bad, stale):
        await queue.put(each)
    assert await queue.cursor() is None
    refused = (Refused(bad, (problem("one"), problem("two"))), Refused(stale, (problem(),), conflict=True))
    await queue.close([closing(asked, "1" * 40)], refused, "1" * 40)
    status = await queue.status(asked.id)
    assert status is not None
    assert (status.state, status.commit, status.paths) == (RequestState.COMMITTED, "1" * 40, (PATH,))
    answer = await queue.status(bad.id)
    assert answer is not None
    assert (answer.state, answer.problems, answer.conflict) == (
        RequestState.REFUSED,
        (problem("one"), problem("two")),
        False,
    )
    assert (await queue.status(stale.id) or answer).conflict
    assert await queue.cursor() == "1" * 40
    (event,) = await LedgerOutbox(database).unpublished(10)
    assert event.subject == "ordain.acme.fraud.run.committed"
    assert event.fact.data == {"path": PATH, "blob": "b" * 40, "request": str(asked.id)}
    with ledger.connect() as connection:
        assert connection.execute("SELECT path, kind, blob FROM intents").fetchall() == [(PATH, "Run", "b" * 40)]


async def test_closing_again_changes_nothing(queue: LedgerQueue, database: Database, ledger: Ledger) -> None:
    asked = request()
    await queue.put(asked)
    for _ in range(3):
        await queue.close([closing(asked, "1" * 40)], (), "1" * 40)
    assert len(await LedgerOutbox(database).unpublished(10)) == 1
    await queue.close([closing(None, "2" * 40, blob=None)], (Refused(asked, (problem(),)),), "2" * 40)
    status = await queue.status(asked.id)
    assert status is not None
    assert status.state is RequestState.COMMITTED, "an answer is given once"
    with ledger.connect() as connection:
        assert connection.execute("SELECT count(*) FROM intents").fetchone() == (0,)


async def test_refusing_alone_moves_no_cursor(queue: LedgerQueue) -> None:
    asked = request()
    await queue.put(asked)
    await queue.close((), (Refused(asked, (problem(),)),), None)
    assert await queue.cursor() is None
    assert await ids(queue) == []


async def test_what_postgres_cannot_hold_stops_nothing(queue: LedgerQueue) -> None:
    asked = request(body="nul\0 and \ud800")
    await queue.put(asked)
    (waiting,) = await queue.waiting(1)
    assert waiting.body == "nul\ufffd and \ufffd"
    await queue.close((), (Refused(asked, (problem("a\0b \ud800"),)),), None)
    status = await queue.status(asked.id)
    assert status is not None
    assert status.problems == (problem("a\ufffdb \ufffd"),)


async def test_the_third_crash_parks_a_request_with_its_reason(queue: LedgerQueue) -> None:
    asked, other = request(), request()
    for each in (asked, other):
        await queue.put(each)
    for crashes in range(3):
        assert asked.id in await ids(queue), f"after {crashes} crashes it is still tried"
        await queue.crashed(asked.id, "the check crashed: RecursionError")
    assert await ids(queue) == [other.id]
    status = await queue.status(asked.id)
    assert status is not None
    assert status.state is RequestState.PARKED
    assert [each.code for each in status.problems] == ["check-crashed"]


async def take_and_give_back(queue: LedgerQueue) -> None:
    async with queue.hold():
        pass


async def test_one_writer_holds_the_lock_until_its_connection_falls(
    queue: LedgerQueue, database: Database, ledger: Ledger
) -> None:
    async with queue.hold() as lock:
        await lock.verify()
        with pytest.raises(Conflict, match="another"):
            await take_and_give_back(LedgerQueue(database))
        with ledger.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with pytest.raises(Conflict, match="fell"):
            await lock.verify()
    async with queue.hold() as lock:
        await lock.verify()


async def test_migrations_apply_once(postgres_server: PostgresServer) -> None:
    fresh = postgres_server.fresh(migrated=False)
    owner = fresh.dsn(PostgresRole.OWNER)
    assert (await migrate(owner))[0] == "0001_initial"
    before = schema(fresh)
    assert await migrate(owner) == []
    assert schema(fresh) == before == schema(postgres_server.fresh())


SCHEMA = (
    """SELECT table_name, column_name, data_type, is_nullable, column_default
       FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "SELECT tablename, policyname, roles, qual, with_check FROM pg_policies ORDER BY 1, 2",
    """SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants
       WHERE table_schema = 'public' ORDER BY 1, 2, 3""",
)


def schema(ledger: Ledger) -> object:
    with ledger.connect() as connection:
        return [connection.execute(query).fetchall() for query in SCHEMA]


def test_every_table_with_a_tenant_is_guarded_from_the_first_migration(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        guarded = connection.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY 1"
        ).fetchall()
        tables = connection.execute(
            "SELECT DISTINCT table_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND column_name = 'tenant' ORDER BY 1"
        ).fetchall()
    assert guarded == tables
    assert {name for (name,) in tables} == set(TENANT_TABLES)


@pytest.fixture
async def two_tenants(queue: LedgerQueue) -> tuple[WriteRequest, WriteRequest]:
    asked, other = request("acme"), request("globex")
    for each in (asked, other):
        await queue.put(each)
    await queue.close([closing(asked, "1" * 40)], (), "1" * 40)
    return asked, other


@pytest.mark.usefixtures("two_tenants")
async def test_the_api_sees_nothing_until_it_names_a_tenant(ledger: Ledger) -> None:
    with ledger.connect(PostgresRole.API) as connection:
        for table in TENANT_TABLES:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608 - a test's own
        connection.execute("SET ordain.tenant = ''")
        assert connection.execute("SELECT count(*) FROM write_requests").fetchone() == (0,)


async def test_the_api_sees_its_tenant_alone(ledger: Ledger, two_tenants: tuple[WriteRequest, WriteRequest]) -> None:
    mine, theirs = two_tenants
    async with ledger.database(PostgresRole.API) as api:
        queue = LedgerQueue(api, "acme")
        assert await queue.status(mine.id) is not None
        assert await queue.status(theirs.id) is None
        await queue.put(request("acme"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await queue.put(request("globex"))
        # A transaction's tenant ends with it.
        async with api.transaction() as connection:
            row = await (await connection.execute("SELECT count(*) AS count FROM write_requests")).fetchone()
    assert row == {"count": 0}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE runs DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE runs NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY one_tenant ON runs",
        "CREATE POLICY mine ON runs USING (true)",
        "SET ROLE ordain_owner",
        "SET ROLE ordain_worker",
        "SET SESSION AUTHORIZATION ordain_worker",
        "ALTER ROLE ordain_api BYPASSRLS",
        "UPDATE write_requests SET state = 'committed'",
        "DELETE FROM write_requests",
        "INSERT INTO events (tenant, project, noun, verb, name, commit, data) VALUES ('acme','','','','','','{}')",
        "SELECT * FROM cursors",
        "UPDATE leases SET holder = 'me'",
        "CREATE TABLE mine ()",
        "TRUNCATE events",
        "SET row_security = off; SELECT * FROM write_requests",
    ],
)
def test_the_api_cannot_get_around_the_guard(ledger: Ledger, statement: str) -> None:
    with ledger.connect(PostgresRole.API) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.usefixtures("two_tenants")
async def test_workers_see_all_tenants(ledger: Ledger) -> None:
    with ledger.connect(PostgresRole.WORKER) as connection:
        tenants = connection.execute("SELECT DISTINCT tenant FROM write_requests ORDER BY 1").fetchall()
    assert tenants == [("acme",), ("globex",)]
