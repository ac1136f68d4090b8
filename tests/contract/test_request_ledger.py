"""What the queue leaves in Postgres, its migrations, and what the ledger's roles may see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import psycopg.errors
import pytest

from reconciler.planning.writing import Refused, WriteRequest
from reconciler.ports.errors import Conflict, Waiting
from reconciler.ports.requests import RequestState
from reconciler.services.settings import PostgresRole
from reconciler.stores.ledger.closing import IDS
from reconciler.stores.ledger.database import Database, migrate
from reconciler.stores.ledger.events import LedgerOutbox
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.values import ROWS
from reconciler.workers.request_sweep import RequestSweep
from tests.fixtures.write_requests import PATH, closing, keyed, problem, request
from tests.support.ledgers import Ledger, PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

TENANT_TABLES = (
    *("write_requests", "intents", "runs", "run_tasks", "deployments", "conditions", "events"),
    *("changes", "approvals"),
)


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


async def test_closing_projects_and_tells(queue: LedgerQueue, database: Database, ledger: Ledger) -> None:
    asked = request()
    await queue.put(asked)
    await queue.close([closing(asked, "1" * 40)], (), "1" * 40)
    (event,) = await LedgerOutbox(database).unpublished(10)
    assert event.subject == "ordain.acme.fraud.run.committed"
    assert event.fact.data == {"path": PATH, "blob": "b" * 40, "request": str(asked.id)}
    with ledger.connect() as connection:
        rows = connection.execute("SELECT path, kind, blob, labels FROM intents").fetchall()
    assert rows == [(PATH, "Run", "b" * 40, {"team": "risk"})]


async def test_closing_again_changes_nothing(queue: LedgerQueue, database: Database, ledger: Ledger) -> None:
    asked = request()
    await queue.put(asked)
    for _ in range(3):
        await queue.close([closing(asked, "1" * 40)], (), "1" * 40)
    assert len(await LedgerOutbox(database).unpublished(10)) == 1
    await queue.close([closing(None, "2" * 40, blob=None)], (), "2" * 40)
    with ledger.connect() as connection:
        assert connection.execute("SELECT count(*) FROM intents").fetchone() == (0,)


async def test_of_a_path_that_changes_twice_the_last_state_is_projected(queue: LedgerQueue, ledger: Ledger) -> None:
    one, other, gone = closing(None, "1" * 40), closing(None, "2" * 40, blob="c" * 40), closing(None, "3" * 40, None)
    await queue.close([one, other], (), "2" * 40)
    with ledger.connect() as connection:
        assert connection.execute("SELECT blob, commit FROM intents").fetchall() == [("c" * 40, "2" * 40)]
        await queue.close([one, gone], (), "3" * 40)
        assert connection.execute("SELECT * FROM intents").fetchall() == []
        await queue.close([gone, one], (), "1" * 40)
        assert connection.execute("SELECT blob FROM intents").fetchall() == [("b" * 40,)]


async def test_a_whole_repository_is_closed_at_once_and_told_in_order(queue: LedgerQueue, ledger: Ledger) -> None:
    many = [f"tenants/acme/projects/fraud/runs/2026-11-23/run-{number}.yaml" for number in range(2 * ROWS + 1)]
    asked = [request() for _ in range(2 * IDS + 1)]
    for each in asked[:3]:
        await queue.put(each)
    seed = closing(None, "1" * 40)
    projected = tuple(replace(seed.projected[0], path=path) for path in many)
    facts = tuple(replace(seed.facts[0], id=uuid4(), data={"path": path}) for path in many)
    closings = [replace(seed, projected=projected, facts=facts), *(closing(each, "2" * 40) for each in asked)]
    await queue.close(closings, (), "2" * 40)
    with ledger.connect() as connection:
        (count,) = connection.execute("SELECT count(*) FROM intents").fetchone() or (None,)
        told = connection.execute("SELECT data->>'path' FROM events ORDER BY sequence").fetchall()
    assert count == len(many) + 1
    assert [path for (path,) in told][: len(many)] == many
    found = [await queue.status(each.id) for each in asked[:3]]
    assert [each and each.state for each in found] == [RequestState.COMMITTED] * 3


async def test_what_postgres_cannot_hold_stops_nothing(queue: LedgerQueue) -> None:
    asked = request(body="nul\0 and \ud800")
    await queue.put(asked)
    (waiting,) = await queue.waiting(1)
    assert waiting.body == "nul\ufffd and \ufffd"
    await queue.close((), (Refused(asked, (problem("a\0b \ud800"),)),), None)
    status = await queue.status(asked.id)
    assert status is not None
    assert status.problems == (problem("a\ufffdb \ufffd"),)


async def take_and_give_back(queue: LedgerQueue) -> None:
    async with queue.hold():
        pass


async def test_keys_are_known_for_a_week(queue: LedgerQueue, ledger: Ledger) -> None:
    asked = keyed("once")
    await queue.put(asked)
    await queue.close([closing(asked, "1" * 40)], (), "1" * 40)
    assert asked.key is not None
    for days, known in ((6, True), (8, False)):
        with ledger.connect() as connection:
            connection.execute("UPDATE write_requests SET created_at = now() - %s", (timedelta(days=days),))
        await RequestSweep(queue).turn()
        assert (await queue.keyed(asked.key) == asked.id) is known


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


async def test_who_lost_the_writers_lock_closes_nothing(queue: LedgerQueue, database: Database, ledger: Ledger) -> None:
    async with queue.hold(), ledger.database() as elsewhere:
        await queue.close([closing(None, "1" * 40)], (), "1" * 40)
        with ledger.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        successor = LedgerQueue(elsewhere)
        async with successor.hold():
            await successor.close([closing(None, "2" * 40, "c" * 40)], (), "2" * 40)
            with pytest.raises(Conflict, match="another became the writer"):
                await queue.close([closing(None, "1" * 40)], (), "1" * 40)
    assert await queue.cursor() == "2" * 40
    with ledger.connect() as connection:
        assert connection.execute("SELECT commit FROM intents").fetchall() == [("2" * 40,)]


async def test_a_tenant_is_told_why_nothing_can_be_written(queue: LedgerQueue, ledger: Ledger) -> None:
    await queue.stalled("the disk is full")
    async with ledger.database(PostgresRole.API) as api:
        with pytest.raises(Waiting, match="the disk is full"):
            await LedgerQueue(api, "acme").put(request("acme"))


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
        "DELETE FROM stalls",
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
