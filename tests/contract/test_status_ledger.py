"""Status, outbox and leases on real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import psycopg
import pytest

from reconciler.planning.events import Fact
from reconciler.planning.observations import ServerState
from reconciler.planning.serving import Condition, Served, ServedVersion, conditions_of
from reconciler.ports.errors import Waiting
from reconciler.services.settings import PostgresRole
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.events import LedgerOutbox, add_facts
from reconciler.stores.ledger.reads import LedgerReads
from reconciler.stores.ledger.status import LedgerLeases, LedgerStatus
from tests.support.ledgers import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

VERSION = ServedVersion("v1", "fraud@1", "sha256:" + "1" * 64, 100, ServerState.READY, address="127.0.0.1:1")
SERVED = Served("acme", "fraud", "scoring", "a" * 40, "b" * 40, (VERSION,), routed=True)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(ledger: Ledger) -> AsyncIterator[Database]:
    async with ledger.database() as opened:
        yield opened


@pytest.fixture
def status(database: Database) -> LedgerStatus:
    return LedgerStatus(database)


@pytest.fixture
def outbox(database: Database) -> LedgerOutbox:
    return LedgerOutbox(database)


def fact(name: str, tenant: str = "acme") -> Fact:
    return Fact(tenant, "fraud", "run", "created", name)


async def tell(database: Database, *names: str, tenant: str = "acme") -> None:
    async with database.transaction() as connection:
        await add_facts(connection, [fact(name, tenant) for name in names])


async def names(outbox: LedgerOutbox) -> list[str]:
    return [event.fact.name for event in await outbox.unpublished(100)]


async def verbs(outbox: LedgerOutbox) -> list[str]:
    return [event.fact.verb for event in await outbox.unpublished(100)]


async def test_what_is_served_is_read_back(status: LedgerStatus) -> None:
    assert await status.served("acme", "fraud", "scoring") is None
    await status.record_served(SERVED, conditions_of(SERVED), "c" * 40)
    assert await status.served("acme", "fraud", "scoring") == SERVED
    drained = replace(SERVED, versions=(replace(VERSION, weight=0, active_requests=3),), rollout_blob="d" * 40)
    await status.record_served(drained, conditions_of(drained), "c" * 40)
    assert await status.served("acme", "fraud", "scoring") == drained


async def test_a_condition_is_an_event_when_it_changes(status: LedgerStatus, outbox: LedgerOutbox) -> None:
    for _ in range(3):
        await status.record_served(SERVED, conditions_of(SERVED), "c" * 40)
    assert await verbs(outbox) == ["applied", "ready"]
    down = replace(SERVED, versions=(replace(VERSION, state=ServerState.FAILED, reason="no bytes"),))
    for _ in range(3):
        await status.record_served(down, conditions_of(down), "c" * 40)
    assert (await verbs(outbox))[2:] == ["not-ready"]
    (event,) = (await outbox.unpublished(100))[2:]
    assert event.fact.data["message"] == "v1: no bytes"


async def test_one_condition_says_whether_it_changed(status: LedgerStatus, outbox: LedgerOutbox) -> None:
    condition = Condition("Rendered", True, "Rendered", "rollout x\0", "a" * 40)
    told = Fact("acme", "fraud", "deployment", "rendered", "scoring")
    assert await status.record_condition("acme", "fraud", "scoring", condition, "c" * 40, told)
    assert not await status.record_condition("acme", "fraud", "scoring", condition, "c" * 40, told)
    other = replace(condition, observed_blob="b" * 40)
    assert await status.record_condition("acme", "fraud", "scoring", other, "c" * 40, None)
    assert await verbs(outbox) == ["rendered"]


async def test_forgotten_deployments_leave_nothing(status: LedgerStatus, ledger: Ledger) -> None:
    gone = replace(SERVED, deployment="gone")
    for each in (SERVED, gone):
        await status.record_served(each, conditions_of(each), "c" * 40)
    only_condition = Condition("Rendered", False, "NoRollout", "", "a" * 40)
    await status.record_condition("acme", "fraud", "never", only_condition, "c" * 40, None)
    await status.forget_deployments([("acme", "fraud", "scoring")])
    assert await status.served("acme", "fraud", "gone") is None
    with ledger.connect() as connection:
        assert connection.execute("SELECT DISTINCT name FROM conditions").fetchall() == [("scoring",)]


async def test_people_see_conditions_of_their_tenant(status: LedgerStatus, ledger: Ledger) -> None:
    await status.record_served(SERVED, conditions_of(SERVED), "c" * 40)
    async with ledger.database(PostgresRole.API) as api:
        mine, theirs = LedgerReads(api, "acme"), LedgerReads(api, "globex")
        assert [each.type for each in await mine.conditions("fraud", "scoring")] == ["Applied", "Ready"]
        assert await mine.served("fraud") == [SERVED]
        assert await theirs.conditions("fraud", "scoring") == []
        assert await theirs.served("fraud") == []


@contextmanager
def open_transaction(ledger: Ledger, *told: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Begin a transaction that has an id and tells some facts; the body commits it, or it is rolled back."""
    connection = psycopg.connect(ledger.dsn(PostgresRole.WORKER))
    try:
        connection.execute("SELECT pg_current_xact_id()")
        say(connection, *told)
        yield connection
    finally:
        connection.close()


def say(connection: psycopg.Connection[tuple[object, ...]], *told: str) -> None:
    for name in told:
        connection.execute(
            "INSERT INTO events (tenant, project, noun, verb, name, commit, data) "
            "VALUES ('acme', 'fraud', 'run', 'created', %s, '', '{}')",
            (name,),
        )


@asynccontextmanager
async def reader(ledger: Ledger, tenant: str = "acme") -> AsyncIterator[LedgerReads]:
    async with ledger.database(PostgresRole.API) as api:
        yield LedgerReads(api, tenant)


async def test_nothing_is_read_above_an_older_open_transaction(
    ledger: Ledger, database: Database, outbox: LedgerOutbox
) -> None:
    with open_transaction(ledger, "older") as older:
        await tell(database, "newer")
        assert await names(outbox) == []
        async with reader(ledger) as reads:
            assert await reads.newest_events(10) == []
            older.commit()
            assert [each.fact.name for each in await reads.newest_events(10)] == ["newer", "older"]
    assert await names(outbox) == ["older", "newer"]


async def test_a_resumed_stream_misses_nothing_that_was_numbered_earlier(ledger: Ledger) -> None:
    """A transaction that began first may number its event last; its event may be read, the other not yet."""
    async with reader(ledger) as reads:
        with open_transaction(ledger) as first, open_transaction(ledger, "numbered first") as second:
            say(first, "numbered second")
            first.commit()
            (seen,) = await reads.events_after(0, 10)
            assert seen.fact.name == "numbered second"
            second.commit()
        (late,) = await reads.events_after(seen.sequence, 10)
        assert late.fact.name == "numbered first"
        assert late.sequence < seen.sequence
        assert await reads.events_after(late.sequence, 10) == []
        assert [each.fact.name for each in await reads.newest_events(10)] == ["numbered first", "numbered second"]


async def test_a_stream_resumes_from_any_event_and_sees_its_tenant_alone(ledger: Ledger, database: Database) -> None:
    for number in range(5):
        await tell(database, f"mine-{number}")
        await tell(database, f"theirs-{number}", tenant="globex")
    async with reader(ledger) as reads:
        everything = await reads.events_after(0, 100)
        assert [each.fact.name for each in everything] == [f"mine-{number}" for number in range(5)]
        for position, event in enumerate(everything):
            assert await reads.events_after(event.sequence, 100) == everything[position + 1 :]
        assert await reads.events_after(everything[0].sequence, 2) == everything[1:3]


async def test_published_events_are_not_read_again(database: Database, outbox: LedgerOutbox) -> None:
    await tell(database, "a", "b", "c")
    found = await outbox.unpublished(2)
    assert [each.fact.name for each in found] == ["a", "b"]
    await outbox.mark_published(found)
    assert await names(outbox) == ["c"]


async def test_a_fact_with_an_id_is_told_once(database: Database, outbox: LedgerOutbox) -> None:
    await tell(database, "a")
    (event,) = await outbox.unpublished(10)
    async with database.transaction() as connection:
        await add_facts(connection, [replace(fact("a"), id=event.id), fact("a")])
    assert await names(outbox) == ["a", "a"]


async def test_whoever_listens_hears_of_new_events(database: Database, outbox: LedgerOutbox) -> None:
    async def hear() -> str:
        return await anext(aiter(outbox.hints()))

    first = asyncio.create_task(hear())
    async with asyncio.timeout(20):
        while not first.done():  # until it listens
            await tell(database, "a")
            await asyncio.wait([first], timeout=0.05)
    assert await first == "acme"


async def test_a_lease_is_one_holders_until_it_ends(database: Database, ledger: Ledger) -> None:
    leases = LedgerLeases(database)
    assert await leases.hold("hydrator", "one", 60)
    assert await leases.hold("hydrator", "one", 60), "it renews its own"
    assert not await leases.hold("hydrator", "two", 60)
    assert await leases.hold("publisher", "two", 60)
    with ledger.connect() as connection:
        connection.execute("UPDATE leases SET expires = now() WHERE name = 'hydrator'")
    assert await leases.hold("hydrator", "two", 60), "after kill -9 of its holder"
    assert not await leases.hold("hydrator", "one", 60)
    await leases.release("hydrator", "one")
    assert not await leases.hold("hydrator", "one", 60), "another's lease stays"
    await leases.release("hydrator", "two")
    assert await leases.hold("hydrator", "one", 60)


async def test_many_who_want_a_lease_give_it_to_one(database: Database) -> None:
    leases = LedgerLeases(database)
    taken = await asyncio.gather(*(leases.hold("loop", f"holder-{number}", 60) for number in range(12)))
    assert sum(taken) == 1


async def test_a_database_that_is_not_there_is_waited_for() -> None:
    database = Database("postgresql://nobody@/nothing?host=/nonexistent&connect_timeout=1")
    with pytest.raises(Waiting):
        await database.dedicated()
