"""The ledger, where it is made anew from git and storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from reconciler.planning.past_runs import PastRun
from reconciler.planning.runs import RunRow
from reconciler.ports.requests import Closing
from reconciler.stores.ledger.closing import close
from reconciler.stores.ledger.database import Database, statements
from reconciler.stores.ledger.requests import next_term
from reconciler.stores.ledger.runs import admit, to_row
from reconciler.stores.ledger.values import ROWS, as_json, slices

SQL, CURSOR_SQL = statements("anew"), statements("cursors")


class PostgresAnew:
    """The LedgerAnew port."""

    def __init__(self, database: Database) -> None:
        """Use the workers' connections."""
        self._database = database

    async def found(self) -> str | None:
        """Return the commit of main that the ledger found when it was made; None where both began together."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(CURSOR_SQL["get"], {"name": "found"})).fetchone()
        return None if row is None else str(row["commit"])

    async def project(self, closings: Sequence[Closing], head: str) -> None:
        """Forget the projection and make it, with answers and events, from all that led to `head`."""
        async with self._database.transaction() as connection:
            await next_term(connection)
            await connection.execute(SQL["forget_projection"])
            await close(connection, closings, (), head)

    async def recall(self, past: Sequence[PastRun], upto: str) -> Sequence[PastRun]:
        """Add the runs that the ledger does not know, return them; without a cursor, runs are walked on from `upto`."""
        added: set[tuple[UUID, int]] = set()
        async with self._database.transaction() as connection:
            for some in slices(map(_to_json, past), ROWS):
                rows = await (await connection.execute(SQL["recall"], {"rows": as_json(some)})).fetchall()
                added |= {(row["uid"], row["attempt"]) for row in rows}
            await connection.execute(SQL["begin_runs"], {"commit": upto})
        return [each for each in past if (each.run.uid, each.run.attempt) in added]

    async def adopt(
        self, closings: Sequence[Closing], head: str, runs: Sequence[RunRow], removed: Sequence[str]
    ) -> Sequence[RunRow]:
        """Go on from `head`, which does not descend from what was closed; return the runs whose uid was not known."""
        async with self._database.transaction() as connection:
            await next_term(connection)
            await close(connection, closings, (), head)
            asked = {"uids": [run.uid for run in runs]}
            rows = await (await connection.execute(SQL["known_uids"], asked)).fetchall()
            known = {row["uid"] for row in rows}
            new = [run for run in runs if run.uid not in known]
            await admit(connection, head, new, [*removed, *(run.path for run in runs if run.cancelled)])
        return new


def _to_json(past: PastRun) -> dict[str, object]:
    run = past.run
    return {
        **to_row(run),
        "uid": str(run.uid),
        "parameters": run.parameters,
        "state": run.state.value,
        "reason": past.reason,
        "model": past.model,
        "outputs": [asdict(output) for output in run.outputs],
        "created_at": past.asked_at.isoformat(),
    }
