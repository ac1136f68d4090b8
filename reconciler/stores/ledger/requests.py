"""The queue of write requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from intents.authority import Principal
from intents.checks import Facts
from intents.problems import Problem, Severity
from reconciler.planning.changes import ChangeId, Deed, OfChange
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.idempotency import RequestKey
from reconciler.planning.writing import BATCH_BYTES, Author, Refused, RequestId, Write, WriteRequest, in_one_batch
from reconciler.ports.changes import ChangeStep
from reconciler.ports.errors import Conflict, Waiting
from reconciler.ports.requests import Closing, KeyReused, RequestState, RequestStatus, WriterLock
from reconciler.stores.ledger.changes import LedgerChanges
from reconciler.stores.ledger.closing import close
from reconciler.stores.ledger.database import Connection, Database, statements
from reconciler.stores.ledger.values import as_json, as_text

SQL, CURSOR_SQL = statements("requests"), statements("cursors")

SLICE = 20
"""Requests that are read at once: of 4 MiB each at most."""


class LedgerQueue:
    """The WriterQueue port; the API's role sees its tenant's requests only."""

    def __init__(self, database: Database, tenant: str | None = None) -> None:
        """Use `database`; with `tenant`, see and put requests of that tenant alone."""
        self._database = database
        self._tenant = tenant
        self.changes = LedgerChanges(database, tenant)
        self._term: int | None = None
        """The fencing token under which this queue became the writer's."""

    async def put(self, request: WriteRequest) -> RequestId:
        """Make the request durable; return the id that it is answered under."""
        async with self._database.transaction(self._tenant) as connection:
            done = await (await connection.execute(SQL["put"], _to_row(request))).fetchone()
            if done is None or not done["added"]:
                return await _known(connection, request, None if done is None else done["stall"])
            await connection.execute(SQL["notify_writer"])
            return request.id

    async def keyed(self, key: RequestKey) -> RequestId | None:
        """Return the request that was put with a key; raises KeyReused where it asked for something else."""
        async with self._database.transaction(self._tenant) as connection:
            return await _keyed(connection, key)

    async def status(self, request: UUID) -> RequestStatus | None:
        """Return what became of a request, or None for an id that was never put."""
        async with self._database.transaction(self._tenant) as connection:
            row = await (await connection.execute(SQL["status"], {"id": request})).fetchone()
        return None if row is None else _status_from_row(row)

    async def facts(self, asked: LedgerQuestions) -> Facts:
        """Return the answers to `asked`, in one query; without questions, nothing is looked up."""
        if not asked:
            return Facts()
        tenants, projects, names = zip(*sorted(asked.named), strict=True) if asked.named else ((), (), ())
        row = {
            "paths": list(asked.removed.keys()),
            "attempts": list(asked.removed.values()),
            "tenants": list(tenants),
            "projects": list(projects),
            "names": list(names),
        }
        async with self._database.transaction(self._tenant) as connection:
            found = await (await connection.execute(SQL["facts"], row)).fetchall()
        active, retired = (
            frozenset(each["path"] for each in found if each["fact"] == fact) for fact in ("active", "retired")
        )
        return Facts(active, retired)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[WriterLock]:
        """Hold the queue's writer lock on a connection of its own; raises Conflict when another holds it."""
        connection = await self._database.dedicated()
        try:
            row = await (await connection.execute(SQL["try_writer_lock"])).fetchone()
            if row is None or not row["held"]:
                raise Conflict("another writer holds the queue's lock")
            self._term = await next_term(connection)
            yield AdvisoryLock(connection)
        finally:
            await connection.close()

    async def waiting(self, limit: int) -> Sequence[WriteRequest]:
        """Return the oldest waiting requests, as many as `in_one_batch` yields."""
        found: list[WriteRequest] = []
        async with self._database.transaction() as connection:
            after, some = 0, min(limit, SLICE)
            while some and sum(each.size for each in found) < BATCH_BYTES:
                cursor = await connection.execute(SQL["waiting"], {"after": after, "limit": some})
                rows = await cursor.fetchall()
                found += map(_from_row, rows)
                after = rows[-1]["sequence"] if rows else after
                some = min(limit - len(found), SLICE) if len(rows) == some else 0
        return list(in_one_batch(found))

    async def cursor(self) -> str | None:
        """Return the newest commit whose closing transaction is done."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(CURSOR_SQL["get"], {"name": "head"})).fetchone()
        return None if row is None else str(row["commit"])

    async def close(
        self,
        closings: Sequence[Closing],
        refused: Sequence[Refused],
        head: str | None,
        steps: Sequence[ChangeStep] = (),
    ) -> None:
        """In one transaction: answers, projection, changes, events, and the cursor at `head`."""
        async with self._database.transaction() as connection:
            if self._term is not None:
                await _raise_successor(connection, self._term)
            await close(connection, closings, refused, head, steps)

    async def stalled(self, reason: str) -> None:
        """Say what keeps the writer from writing, or by an empty reason that nothing does any more."""
        async with self._database.transaction() as connection:
            if reason:
                await connection.execute(SQL["stall"], {"reason": as_text(reason)})
            else:
                await connection.execute(SQL["end_stall"])

    async def crashed(self, request: UUID, reason: str) -> None:
        """Count a crash of this request's check; the third parks it with the reason."""
        problem = Problem(
            code="check-crashed",
            path="",
            line=0,
            column=0,
            message=reason,
            hint="report it with the request's id",
        )
        async with self._database.transaction() as connection:
            await connection.execute(SQL["crashed"], {"id": request, "problems": as_json([asdict(problem)])})

    async def forget_keys(self, older_than: timedelta) -> int:
        """Forget the keys of answered requests that were put so long ago; return how many."""
        async with self._database.transaction() as connection:
            done = await connection.execute(SQL["forget_keys"], {"older_than": older_than})
        return done.rowcount

    def arrivals(self) -> AsyncIterator[str]:
        """Yield whenever a request was put."""
        return self._database.listen("ordain_requests")


class AdvisoryLock:
    """The writer's lock: it falls with its connection."""

    def __init__(self, connection: Connection) -> None:
        """Stand for the lock that `connection` holds."""
        self._connection = connection

    async def verify(self) -> None:
        """Raise Conflict when the lock was lost, with its connection, since it was taken."""
        try:
            await self._connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise Conflict("the writer's lock fell with its connection") from error


async def next_term(connection: Connection) -> int:
    """Return the token of whoever writes from now on: nobody before closes anything any more."""
    row = await (await connection.execute(SQL["next_term"])).fetchone()
    if row is None:
        raise Waiting("the writer's term could not be written")
    return int(row["token"])


async def _raise_successor(connection: Connection, term: int) -> None:
    """Raise Conflict where another became the writer since; else none does before the transaction ends.

    A writer that was stopped through a takeover would project what is old by now.
    """
    row = await (await connection.execute(SQL["term"])).fetchone()
    if row is None or row["token"] != term:
        raise Conflict("another became the writer before the closing transaction")


async def _known(connection: Connection, request: WriteRequest, stall: str | None) -> RequestId:
    """Return what a request that was not put is known as; raises Waiting where it was not put for a stall."""
    known = None if request.key is None else await _keyed(connection, request.key)
    if known is not None:
        return known
    if stall is not None and await (await connection.execute(SQL["status"], {"id": request.id})).fetchone() is None:
        raise Waiting(stall)
    return request.id


async def _keyed(connection: Connection, key: RequestKey) -> RequestId | None:
    row = await (await connection.execute(SQL["keyed"], {"key": key.hash})).fetchone()
    if row is None:
        return None
    if row["key_body"] != key.body:
        raise KeyReused(f"request {row['id']} asked for something else under this key")
    return RequestId(row["id"])


def _to_row(request: WriteRequest) -> dict[str, object]:
    principal = {"user": request.principal.user, "groups": sorted(request.principal.groups)}
    return {
        "id": request.id,
        "tenant": request.tenant,
        "project": request.project,
        "subject": as_text(request.subject),
        "principal": as_json(principal),
        "email": request.email,
        "on_behalf_of": request.on_behalf_of,
        "cause": request.cause,
        "body": as_text(request.body),
        "writes": as_json([write.to_json() for write in request.writes]),
        "author": _author_row(request.author) if request.author else None,
        "key": request.key.hash if request.key else None,
        "key_body": request.key.body if request.key else "",
        "change": request.of_change.id if request.of_change else "",
        "deed": request.of_change.deed.value if request.of_change else "",
        "change_head": request.of_change.head if request.of_change else "",
        "merge_when_approved": request.merge_when_approved,
    }


def _author_row(author: Author) -> object:
    return as_json({"name": author.name, "email": author.email, "at": author.at.isoformat()})


def _author(row: DictRow) -> Author:
    return Author(row["name"], row["email"], datetime.fromisoformat(row["at"]))


def _from_row(row: DictRow) -> WriteRequest:
    principal = Principal(user=row["principal"]["user"], groups=frozenset(row["principal"]["groups"]))
    return WriteRequest(
        id=RequestId(row["id"]),
        tenant=row["tenant"],
        project=row["project"],
        subject=row["subject"],
        principal=principal,
        writes=tuple(Write.from_json(write) for write in row["writes"]),
        email=row["email"],
        on_behalf_of=row["on_behalf_of"],
        cause=row["cause"],
        body=row["body"],
        author=_author(row["author"]) if row["author"] else None,
        key=RequestKey(row["tenant"], row["key"], row["key_body"]) if row["key"] else None,
        of_change=OfChange(ChangeId(row["change"]), Deed(row["deed"]), row["change_head"]) if row["deed"] else None,
        merge_when_approved=row["merge_when_approved"],
    )


def _status_from_row(row: DictRow) -> RequestStatus:
    return RequestStatus(
        id=RequestId(row["id"]),
        state=RequestState(row["state"]),
        commit=row["commit"],
        paths=tuple(row["paths"]),
        problems=tuple(
            Problem(**{**problem, "severity": Severity(problem["severity"])}) for problem in row["problems"]
        ),
        conflict=row["conflict"],
        change=row["change"],
        writes=tuple(Write.from_json(write) for write in row["writes"]),
        pushed_at=row["pushed_at"],
    )
