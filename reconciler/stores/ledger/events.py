"""Events and the outbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

from psycopg.rows import DictRow

from reconciler.planning.events import Event, Fact
from reconciler.stores.ledger.database import Connection, Database, statements
from reconciler.stores.ledger.values import ROWS, as_json, slices

SQL = statements("events")


async def add_facts(connection: Connection, facts: Sequence[Fact]) -> None:
    """Store facts as events, in their order, in the caller's transaction: a fact and its event are one."""
    rows = ({**asdict(fact), "id": None if fact.id is None else str(fact.id)} for fact in facts)
    for some in slices(rows, ROWS):
        await connection.execute(SQL["add"], {"facts": as_json(some)})
    if facts:
        await connection.execute(SQL["notify"], {"tenants": sorted({fact.tenant for fact in facts})})


def event_from_row(row: DictRow) -> Event:
    """Read an event."""
    fact = Fact(row["tenant"], row["project"], row["noun"], row["verb"], row["name"], row["commit"], row["data"])
    return Event(row["id"], row["sequence"], row["at"], fact)


class LedgerOutbox:
    """The Outbox port."""

    def __init__(self, database: Database) -> None:
        """Use the workers' connections."""
        self._database = database

    async def unpublished(self, limit: int) -> Sequence[Event]:
        """Return the oldest events that no open transaction can precede and that are not published."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(SQL["unpublished"], {"limit": limit})).fetchall()
        return [event_from_row(row) for row in rows]

    async def mark_published(self, events: Sequence[Event]) -> None:
        """Note that the bus has these."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["mark_published"], {"ids": [event.id for event in events]})

    def hints(self) -> AsyncIterator[str]:
        """Yield the tenant of each new event."""
        return self._database.listen("ordain_events")
