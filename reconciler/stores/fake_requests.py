"""The queue of write requests in memory, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from intents.authority import Principal
from intents.checks import Facts
from intents.identity import identify
from intents.kinds import Kind
from intents.names import PLATFORM_TENANT
from intents.problems import Problem
from reconciler.planning.changes import ChangeId, ChangeState, ChangeVerb, change_fact
from reconciler.planning.events import Fact
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.idempotency import KEPT, RequestKey
from reconciler.planning.writing import Refused, RequestId, WriteAction, WriteRequest, in_one_batch
from reconciler.ports.changes import ChangeRecord, ChangeStep, Merged
from reconciler.ports.errors import Conflict, Waiting
from reconciler.ports.reads import IntentFilter, IntentRow, Listing, VersionRow
from reconciler.ports.requests import Closing, KeyReused, Projected, RequestState, RequestStatus, WriterLock
from reconciler.stores.fake_changes import MemoryChanges

CRASHES = 3


@dataclass
class _Row:
    request: WriteRequest
    status: RequestStatus
    put_at: datetime
    key: RequestKey | None
    crashes: int = 0


@dataclass
class MemoryRequests:
    """What a queue and its views by tenant stand on; lives as long as the instance."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    rows: dict[UUID, _Row] = field(default_factory=dict)
    intents: dict[str, tuple[Projected, Closing]] = field(default_factory=dict)
    facts: dict[UUID | None, Fact] = field(default_factory=dict)
    runs: dict[str, bool] = field(default_factory=dict)
    """Paths of all runs ever, each with whether its newest attempt has ended."""
    changes: dict[ChangeId, ChangeRecord] = field(default_factory=dict)
    cursor: str | None = None
    held: bool = False
    on_put: Callable[[], None] = lambda: None
    stall: str = ""
    on_answer: Callable[[], None] = lambda: None

    def of_key(self, key: RequestKey) -> _Row | None:
        """Return the row with a key; raises KeyReused where it asked for something else."""
        found = next((row for row in self.rows.values() if row.key and row.key.hash == key.hash), None)
        if found is not None and found.key != key:
            raise KeyReused(f"request {found.request.id} asked for something else under this key")
        return found

    def tell(self, fact: Fact) -> None:
        """Keep a fact; one that is told again is the same."""
        self.facts.setdefault(fact.id, fact)


class MemoryQueue:
    """The WriterQueue port without a server; with `tenant`, a view of that tenant's requests alone."""

    def __init__(self, requests: MemoryRequests | None = None, tenant: str | None = None) -> None:
        self.requests = requests or MemoryRequests()
        self._tenant = tenant
        self.changes = MemoryChanges(self.requests.changes, self.requests.tell, tenant)

    async def put(self, request: WriteRequest) -> RequestId:
        known = self.requests.of_key(request.key) if request.key else None
        if known is not None:
            return known.request.id
        if self.requests.stall and request.id not in self.requests.rows:
            raise Waiting(self.requests.stall)
        paths = tuple(write.path for write in request.writes if write.action is not WriteAction.GUARD)
        about = request.of_change.id if request.of_change else ""
        status = RequestStatus(request.id, RequestState.WAITING, "", paths, (), conflict=False, change=about)
        self.requests.rows.setdefault(request.id, _Row(request, status, self.requests.now(), request.key))
        self.requests.on_put()
        return request.id

    async def keyed(self, key: RequestKey) -> RequestId | None:
        known = self.requests.of_key(key)
        return known.request.id if known else None

    async def status(self, request: UUID) -> RequestStatus | None:
        row = self.requests.rows.get(request)
        return row.status if row and self._tenant in {None, row.request.tenant} else None

    async def facts(self, asked: LedgerQuestions) -> Facts:
        runs = self.requests.runs
        known = ((path, who) for path in runs if (who := identify(path)))
        named = {path for path, who in known if (who.tenant, who.project, who.name) in asked.named}
        return Facts(frozenset(path for path in asked.removed if not runs.get(path)), frozenset(named))

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[WriterLock]:
        if self.requests.held:
            raise Conflict("another writer holds the queue's lock")
        self.requests.held = True
        try:
            yield _Held(self.requests)
        finally:
            self.requests.held = False

    async def waiting(self, limit: int) -> Sequence[WriteRequest]:
        return list(islice(in_one_batch(row.request for row in self._waiting()), limit))

    async def cursor(self) -> str | None:
        return self.requests.cursor

    async def close(
        self,
        closings: Sequence[Closing],
        refused: Sequence[Refused],
        head: str | None,
        steps: Sequence[ChangeStep] = (),
    ) -> None:
        for closing in closings:
            self._close(closing)
        for step in steps:
            self._step(step)
        for refusal in refused:
            answer = {"problems": refusal.problems, "conflict": refusal.conflict}
            writes = refusal.request.writes if refusal.conflict else ()
            self._answer(refusal.request.id, RequestState.REFUSED, writes=writes, **answer)
        self.requests.cursor = head or self.requests.cursor
        self.requests.on_answer()

    async def stalled(self, reason: str) -> None:
        self.requests.stall = reason

    async def crashed(self, request: UUID, reason: str) -> None:
        row = self.requests.rows[request]
        row.crashes += 1
        if row.crashes >= CRASHES:
            problem = Problem("check-crashed", "", 0, 0, reason, "report it with the request's id")
            self._answer(request, RequestState.PARKED, problems=(problem,))

    async def forget_keys(self, older_than: timedelta) -> int:
        before = self.requests.now() - older_than
        answered = (row for row in self.requests.rows.values() if row.status.state is not RequestState.WAITING)
        found = [row for row in answered if row.key and row.put_at <= before]
        for row in found:
            row.key = None
        return len(found)

    def _waiting(self) -> Iterator[_Row]:
        return (row for row in self.requests.rows.values() if row.status.state is RequestState.WAITING)

    def _answer(self, request: UUID, state: RequestState, **more: object) -> None:
        row = self.requests.rows.get(request)
        if row is not None and row.status.state is RequestState.WAITING:
            row.status = replace(row.status, state=state, **more)  # type: ignore[arg-type]

    def _close(self, closing: Closing) -> None:
        if closing.request is not None:
            self._remember(closing, closing.request)
            self._answer(closing.request, RequestState.COMMITTED, commit=closing.commit, paths=closing.paths)
        for projected in closing.projected:
            if projected.blob is None:
                self.requests.intents.pop(projected.path, None)
            else:
                self.requests.intents[projected.path] = (projected, closing)
        if closing.merged is not None:
            self._merge(closing, closing.merged)
        for fact in closing.facts:
            self.requests.tell(fact)

    def _step(self, step: ChangeStep) -> None:
        change, known = step.change, self.requests.changes.get(step.change.id)
        if known is None or known.change.state is ChangeState.OPEN:
            self.requests.changes[change.id] = ChangeRecord(change, known.approvals if known else ())
        if step.request is not None:
            state = RequestState.CLOSED if change.state is ChangeState.CLOSED else RequestState.PROPOSED
            self._answer(step.request, state, change=change.id, commit=change.head, paths=change.paths)
        self.requests.tell(step.fact)

    def _merge(self, closing: Closing, merged: Merged) -> None:
        known = self.requests.changes.get(merged.change)
        if known is None or known.change.state is not ChangeState.OPEN:
            return
        ended = {"state": ChangeState.MERGED, "commit": closing.commit, "ended_by": merged.by, "updated_at": closing.at}
        change = replace(known.change, **ended)  # type: ignore[arg-type]
        self.requests.changes[merged.change] = replace(known, change=change)
        self.requests.tell(change_fact(change, ChangeVerb.MERGED, merged.by))

    def _remember(self, closing: Closing, request: UUID) -> None:
        """Keep the answer to a keyed request that is not known any more."""
        key, rows = closing.key, self.requests.rows
        if key is None or request in rows or closing.at <= self.requests.now() - KEPT:
            return
        asked = WriteRequest(RequestId(request), key.tenant, "", closing.subject, Principal(closing.author), ())
        status = RequestStatus(asked.id, RequestState.WAITING, "", (), (), conflict=False)
        rows[request] = _Row(asked, status, closing.at, key)


@dataclass(frozen=True)
class _Held:
    """The writer's lock while it is held."""

    requests: MemoryRequests

    async def verify(self) -> None:
        if not self.requests.held:
            raise Conflict("the writer's lock fell")


class MemoryIntents:
    """What the TenantReads port tells of intents, for one tenant."""

    def __init__(self, requests: MemoryRequests, tenant: str) -> None:
        self._requests = requests
        self._tenant = tenant

    async def intents(self, wanted: IntentFilter) -> Listing[IntentRow]:
        paths = (path for path in sorted(self._requests.intents) if self._is_in(path, wanted))
        found = [_row(*self._requests.intents[path]) for path in paths]
        return Listing(self._requests.cursor, found[: wanted.limit])

    async def history(self, path: str, limit: int, before: int | None) -> Listing[VersionRow]:
        told = list(enumerate(self._requests.facts.values(), start=1))[::-1]
        found = [
            VersionRow(sequence, fact.commit, fact.data["blob"], fact.data["request"])
            for sequence, fact in told
            if (fact.tenant, fact.data["path"]) == (self._tenant, path) and (before is None or sequence < before)
        ]
        return Listing(self._requests.cursor, found[:limit])

    def _is_in(self, path: str, wanted: IntentFilter) -> bool:
        projected, _ = self._requests.intents[path]
        theirs = projected.tenant == self._tenant
        if self._tenant == PLATFORM_TENANT:
            theirs = theirs or projected.kind == Kind.TENANT
        labelled = wanted.labels.items() <= projected.labels.items()
        inside = path > wanted.after and path.startswith(wanted.below)
        called = wanted.kind in {None, projected.kind} and wanted.name in {None, projected.name}
        return theirs and inside and labelled and called


def _row(projected: Projected, closing: Closing) -> IntentRow:
    return IntentRow(projected.path, projected.blob or "", projected.labels, closing.commit, closing.author, closing.at)
