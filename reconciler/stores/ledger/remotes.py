"""What the ledger knows of the repositories elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

from reconciler.ports.remotes import RemoteStatus
from reconciler.stores.ledger.database import Database, statements
from reconciler.stores.ledger.values import as_text

SQL = statements("remotes")


class LedgerRemotes:
    """The RemoteLedger port, and the hints that something happened on the forge."""

    def __init__(self, database: Database) -> None:
        """Use `database`."""
        self._database = database

    async def remotes(self) -> Mapping[str, RemoteStatus]:
        """Return what is known, by name."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(SQL["all"])).fetchall()
        return {row["name"]: RemoteStatus(row["address"], row["commit"], row["reason"], row["at"]) for row in rows}

    async def tell(self, name: str, address: str, reason: str) -> None:
        """Note why nothing goes there now; an empty reason: nothing is in the way."""
        row = {"name": name, "address": address, "reason": as_text(reason)}
        async with self._database.transaction() as connection:
            await connection.execute(SQL["tell"], row)

    async def reached(self, name: str, address: str, commit: str, requests: Sequence[UUID] = ()) -> None:
        """Note in one transaction what the remote has by now, and that these requests' commits are there."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["reached"], {"name": name, "address": address, "commit": commit})
            await connection.execute(SQL["pushed"], {"ids": list(requests)})

    async def forget(self, name: str) -> None:
        """Know nothing of a remote any more."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["forget"], {"name": name})

    async def hint(self) -> None:
        """Wake whoever follows the forge."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["notify_forge"])

    def hints(self) -> AsyncIterator[str]:
        """Yield whenever something may have happened on the forge."""
        return self._database.listen("ordain_forge")
