"""What the API shows of the ledger: every statement runs under one tenant's row-level security."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from psycopg.rows import DictRow

from intents.names import PLATFORM_TENANT
from reconciler.planning.events import Event
from reconciler.planning.observations import Delivery, EngineRunId, OutputArtifact
from reconciler.planning.serving import Condition, Served
from reconciler.ports.reads import IntentFilter, IntentRow, Listing, Page, RunView, TaskView, VersionRow
from reconciler.stores.ledger.database import Database, statements
from reconciler.stores.ledger.events import SQL as EVENTS
from reconciler.stores.ledger.events import event_from_row
from reconciler.stores.ledger.runs import SQL as RUNS
from reconciler.stores.ledger.status import SQL as STATUS
from reconciler.stores.ledger.status import served_from_row
from reconciler.stores.ledger.values import as_json, texts

T = TypeVar("T")

NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=0))
"""Before everything a list can begin with."""
LAST = "\x7f"
"""After every character of a path."""
LAST_SEQUENCE = 2**63 - 1

INTENTS, CURSORS = statements("intents"), statements("cursors")


class LedgerReads:
    """The TenantReads port."""

    def __init__(self, database: Database, tenant: str) -> None:
        """Use the API's connections, seeing rows of `tenant` alone."""
        self._database = database
        self._tenant = tenant

    async def intents(self, wanted: IntentFilter) -> Listing[IntentRow]:
        """Return intents by path."""
        statement = "intents_of_platform" if self._tenant == PLATFORM_TENANT else "intents"
        if wanted.kind is not None:
            statement += "_of_kind"
        rows = {
            "after": max(wanted.after, wanted.below),
            "until": f"{wanted.below}{LAST}",
            "kind": wanted.kind,
            "name": wanted.name,
            "labels": as_json(dict(wanted.labels)),
            "limit": wanted.limit,
        }
        return await self._listing(INTENTS[statement], _intent, rows)

    async def history(self, path: str, limit: int, before: int | None) -> Listing[VersionRow]:
        """Return the commits that changed an intent, newest first, from before a row's sequence number on."""
        row = {"path": path, "before": before or LAST_SEQUENCE, "limit": limit}
        return await self._listing(EVENTS["of_path"], _version, row)

    async def runs(self, project: str, page: Page) -> Sequence[RunView]:
        """Return runs, newest first."""
        at, uid = page.before or NEWEST
        row = {"project": project, "before_at": at, "before_uid": uid, "limit": page.limit}
        return [_run(found) for found in await self._all(RUNS["list"], **row)]

    async def run(self, project: str, name: str) -> RunView | None:
        """Return the newest attempt of a run."""
        rows = await self._all(RUNS["by_name"], project=project, name=name)
        return _run(rows[0]) if rows else None

    async def tasks(self, run: RunView) -> Sequence[TaskView]:
        """Return the tasks of an attempt in the order in which they began."""
        rows = await self._all(RUNS["tasks"], uid=run.uid, attempt=run.attempt)
        return [_task(row) for row in rows]

    async def tasks_of(self, runs: Sequence[RunView]) -> Mapping[tuple[UUID, int], Sequence[TaskView]]:
        """Return the same of many attempts at once, by uid and attempt; one without tasks is absent."""
        keys = {"uids": [run.uid for run in runs], "attempts": [run.attempt for run in runs]}
        found: dict[tuple[UUID, int], list[TaskView]] = {}
        for row in await self._all(RUNS["tasks_of"], **keys):
            found.setdefault((row["uid"], row["attempt"]), []).append(_task(row))
        return found

    async def served(self, project: str) -> Sequence[Served]:
        """Return what is served of each deployment."""
        return [served_from_row(row) for row in await self._all(STATUS["served_of_project"], project=project)]

    async def conditions(self, project: str, deployment: str) -> Sequence[Condition]:
        """Return the conditions of a deployment."""
        rows = await self._all(STATUS["conditions"], project=project, name=deployment)
        return [
            Condition(row["type"], row["status"], row["reason"], row["message"], row["observed_blob"]) for row in rows
        ]

    async def events_after(self, sequence: int, limit: int) -> Sequence[Event]:
        """Return events after a sequence number, oldest first; none can later appear before one of them."""
        return [event_from_row(row) for row in await self._all(EVENTS["after"], after=sequence, limit=limit)]

    async def newest_events(self, limit: int) -> Sequence[Event]:
        """Return the newest events, newest first."""
        return [event_from_row(row) for row in await self._all(EVENTS["newest"], limit=limit)]

    async def _listing(
        self, statement: LiteralString, from_row: Callable[[DictRow], T], values: Mapping[str, Any]
    ) -> Listing[T]:
        """Read rows, after the commit that they reflect at least."""
        async with self._database.transaction(self._tenant) as connection:
            head = await (await connection.execute(CURSORS["get"], {"name": "head"})).fetchone()
            # Planned each time: a plan for any filter is one for none.
            found = await connection.execute(statement, {"tenant": self._tenant, **texts(values)}, prepare=False)
            rows = await found.fetchall()
        return Listing(str(head["commit"]) if head else None, [from_row(row) for row in rows])

    async def _all(self, statement: LiteralString, **values: Any) -> Sequence[DictRow]:
        async with self._database.transaction(self._tenant) as connection:
            return await (await connection.execute(statement, {"tenant": self._tenant, **texts(values)})).fetchall()


class LedgerArrivals:
    """The Arrivals port."""

    def __init__(self, database: Database) -> None:
        """Listen on connections of its own."""
        self._database = database

    def answers(self) -> AsyncIterator[str]:
        """Yield the ids of requests that were answered, with spaces between."""
        return self._database.listen("ordain_answers")

    def events(self) -> AsyncIterator[str]:
        """Yield the tenant of each new event."""
        return self._database.listen("ordain_events")


def _intent(row: DictRow) -> IntentRow:
    return IntentRow(row["path"], row["blob"], row["labels"], row["commit"], row["author"], row["committed_at"])


def _version(row: DictRow) -> VersionRow:
    return VersionRow(row["sequence"], row["commit"], row["data"]["blob"], row["data"]["request"])


def _task(row: DictRow) -> TaskView:
    return TaskView(row["name"], row["state"], row["started_at"], row["finished_at"], row["error"], row["metrics"])


def _run(row: DictRow) -> RunView:
    return RunView(
        uid=row["uid"],
        attempt=row["attempt"],
        project=row["project"],
        name=row["name"],
        template=row["template"],
        parameters=row["parameters"],
        state=row["state"],
        reason=row["reason"],
        commit=row["commit"],
        run_id=EngineRunId(row["run_id"]),
        model=row["model"],
        created_at=row["created_at"],
        submitted_at=row["submitted_at"],
        finished_at=row["finished_at"],
        outputs=tuple(OutputArtifact(**item) for item in row["outputs"]),
        delivery=Delivery(row["delivery"]),
        duplicates=row["duplicates"],
    )
