"""Events and the outbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from psycopg.rows import DictRow

from reconciler.planning.events import Event, Fact
from reconciler.stores.ledger.database import Connection, Database, statements
from reconciler.stores.ledger.values import as_json

SQL = statements("events")


async def add_facts(connection: Connection, facts: Iterable[Fact]) -> None:
    """Store facts as events in the caller's transaction: a fact and its event are one."""
    for fact in facts:
        row = {
            "id": fact.id,
            "tenant": fact.tenant,
            "project": fact.project,
            "noun": fact.noun,
            "verb": fact.verb,
            "name": fact.name,
            "commit": fact.commit,
            "data": as_json(fact.data),
        }
        await connection.execute(SQL["add"], row)
        await connection.execute(SQL["notify"], {"tenant": fact.tenant})


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
