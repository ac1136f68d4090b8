"""Changes that wait for approval, and who said yes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString

from psycopg.rows import DictRow

from intents.authority import Principal
from reconciler.planning.changes import Approval, Change, ChangeId, ChangeState, ChangeVerb, change_fact
from reconciler.planning.plan.digest import PlanDigest
from reconciler.ports.changes import ChangeFilter, ChangeRecord, ChangeStep, Merged
from reconciler.ports.errors import Conflict
from reconciler.stores.ledger.database import Connection, Database, statements
from reconciler.stores.ledger.events import add_facts
from reconciler.stores.ledger.values import as_json, as_text, texts

SQL = statements("changes")

NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), ChangeId(""))
"""Before everything a list can begin with."""


class LedgerChanges:
    """The ports Changes, with a tenant, and WriterChanges, without one."""

    def __init__(self, database: Database, tenant: str | None = None) -> None:
        """Use `database`; with `tenant`, see changes of that tenant alone."""
        self._database = database
        self._tenant = tenant

    async def record(self, change: ChangeId) -> ChangeRecord | None:
        """Return one change, or None where there is none."""
        return (await self.known([change])).get(change)

    async def known(self, changes: Collection[ChangeId]) -> Mapping[ChangeId, ChangeRecord]:
        """Return those of the changes that there are."""
        if not changes:
            return {}
        found = await self._records(SQL["by_id"], ids=sorted(changes))
        return {each.change.id: each for each in found}

    async def records(self, wanted: ChangeFilter) -> Sequence[ChangeRecord]:
        """Return changes, newest first."""
        at, change = wanted.before or NEWEST
        row = {
            "tenant": self._tenant,
            "before_at": at,
            "before_id": change,
            "state": wanted.state.value if wanted.state else None,
            "project": wanted.project,
            "author": wanted.author,
            "limit": wanted.limit,
        }
        return await self._records(SQL["list"], **texts(row))

    async def open_count(self) -> int:
        """Return how many are open."""
        tenant = self._tenant or ""
        return (await self.open_counts([tenant])).get(tenant, 0)

    async def open_counts(self, tenants: Collection[str]) -> Mapping[str, int]:
        """Return how many changes each of the tenants has open."""
        async with self._database.transaction(self._tenant) as connection:
            rows = await (await connection.execute(SQL["open_counts"], {"tenants": sorted(tenants)})).fetchall()
        return {row["tenant"]: row["open"] for row in rows}

    async def approve(self, approval: Approval) -> None:
        """Keep a person's word, in place of an earlier one of theirs, and tell of it."""
        async with self._database.transaction(self._tenant) as connection:
            done = await connection.execute(SQL["approve"], _approval_row(approval))
            if done.rowcount == 0:
                raise Conflict(f"change {approval.change} is not open")
            (row,) = await (await connection.execute(SQL["by_id"], {"ids": [approval.change]})).fetchall()
            by = approval.approver.user
            await add_facts(connection, [change_fact(_change(row), ChangeVerb.APPROVED, by, digest=approval.digest)])

    async def withdraw(self, change: ChangeId, approver: str) -> None:
        """Forget a person's word to an open change, and tell of it; where there is none, do nothing."""
        async with self._database.transaction(self._tenant) as connection:
            asked = {"change": change, "approver": approver}
            gone = await (await connection.execute(SQL["withdraw"], asked)).fetchone()
            if gone is None:
                return
            (row,) = await (await connection.execute(SQL["by_id"], {"ids": [change]})).fetchall()
            told = {"digest": gone["digest"], "given": gone["at"].astimezone(UTC).isoformat()}
            await add_facts(connection, [change_fact(_change(row), ChangeVerb.WITHDRAWN, approver, **told)])

    async def _records(self, statement: LiteralString, **values: Any) -> Sequence[ChangeRecord]:
        async with self._database.transaction(self._tenant) as connection:
            changes = [_change(row) for row in await (await connection.execute(statement, values)).fetchall()]
            found = await connection.execute(SQL["approvals"], {"ids": [each.id for each in changes]})
            given = [_approval(row) for row in await found.fetchall()]
        return [ChangeRecord(each, tuple(yes for yes in given if yes.change == each.id)) for each in changes]


async def take_step(connection: Connection, step: ChangeStep) -> None:
    """Store a change as a request left it, and answer the request, in the caller's transaction."""
    change = step.change
    await connection.execute(SQL["step"], _to_row(change))
    if step.request is not None:
        ended = change.state is ChangeState.CLOSED
        answer = {
            "request": step.request,
            "state": "closed" if ended else "proposed",
            "change": change.id,
            "commit": change.head,
            "paths": as_json(list(change.paths)),
        }
        await connection.execute(SQL["answered"], answer)
    await add_facts(connection, [step.fact])


async def merge_change(connection: Connection, merged: Merged, commit: str, at: datetime) -> None:
    """Note, in the caller's transaction, that a commit merged a change; what ended stays as it ended."""
    row = {"id": merged.change, "commit": commit, "ended_by": merged.by, "at": at}
    found = await (await connection.execute(SQL["merged"], row)).fetchone()
    if found is not None:
        await add_facts(connection, [change_fact(_change(found), ChangeVerb.MERGED, merged.by)])


def _to_row(change: Change) -> dict[str, object]:
    return {
        "id": change.id,
        "tenant": change.tenant,
        "project": change.project,
        "author": as_json({"user": change.author.user, "groups": sorted(change.author.groups)}),
        "email": change.email,
        "subject": as_text(change.subject),
        "base": change.base,
        "head": change.head,
        "paths": as_json(list(change.paths)),
        "merge_when_approved": change.merge_when_approved,
        "state": change.state.value,
        "commit": change.commit,
        "ended_by": change.ended_by,
        "opened_at": change.opened_at,
        "updated_at": change.updated_at,
    }


def _change(row: DictRow) -> Change:
    return Change(
        id=ChangeId(row["id"]),
        tenant=row["tenant"],
        project=row["project"],
        author=Principal(row["author"]["user"], frozenset(row["author"]["groups"])),
        email=row["email"],
        subject=row["subject"],
        base=row["base"],
        head=row["head"],
        paths=tuple(row["paths"]),
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
        merge_when_approved=row["merge_when_approved"],
        state=ChangeState(row["state"]),
        commit=row["commit"],
        ended_by=row["ended_by"],
    )


def _approval_row(approval: Approval) -> dict[str, object]:
    return {
        "change": approval.change,
        "approver": approval.approver.user,
        "groups": as_json(sorted(approval.approver.groups)),
        "digest": approval.digest,
        "head": approval.head,
        "at": approval.at,
    }


def _approval(row: DictRow) -> Approval:
    return Approval(
        change=ChangeId(row["change"]),
        approver=Principal(row["approver"], frozenset(row["groups"])),
        digest=PlanDigest(row["digest"]),
        head=row["head"],
        at=row["at"],
    )
