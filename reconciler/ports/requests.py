"""Port: the durable queue of write requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from intents.checks import Facts
from intents.problems import Problem
from reconciler.planning.events import Fact
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.idempotency import RequestKey
from reconciler.planning.writing import Refused, RequestId, Write, WriteRequest
from reconciler.ports.changes import ChangeStep, Merged, WriterChanges


class KeyReused(Exception):
    """An idempotency key was given again with something else: the client must choose another."""


class RequestState(StrEnum):
    """What became of a request."""

    WAITING = "waiting"
    COMMITTED = "committed"
    PROPOSED = "proposed"
    """It is a commit of a change beside main, which others have to approve."""
    CLOSED = "closed"
    """It closed a change."""
    REFUSED = "refused"
    PARKED = "parked"
    """Its check crashed the writer three times; a person must look."""


@dataclass(frozen=True)
class RequestStatus:
    """A request as the queue shows it."""

    id: RequestId
    state: RequestState
    commit: str
    paths: tuple[str, ...]
    """The paths that its commit changed; until there is one, those that it asks to write."""
    problems: tuple[Problem, ...]
    conflict: bool
    change: str = ""
    """The change that it is about, or became."""
    writes: tuple[Write, ...] = ()
    """Of a conflict: what was asked."""
    pushed_at: datetime | None = None
    """When the commit was seen on the mirror; None where it was not yet, or there is none."""


@dataclass(frozen=True)
class Projected:
    """One changed path of a commit, for the projection of the head; `blob` is None where it was removed."""

    path: str
    tenant: str
    project: str
    kind: str
    name: str
    blob: str | None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Closing:
    """What one commit on main means for the ledger."""

    commit: str
    at: datetime
    author: str
    request: UUID | None
    paths: tuple[str, ...]
    projected: tuple[Projected, ...]
    facts: tuple[Fact, ...]
    subject: str = ""
    key: RequestKey | None = None
    """The idempotency key of the request, for a ledger that does not know the request any more."""
    merged: Merged | None = None
    """The change that the commit merges."""


class RequestQueue(Protocol):
    """Write requests between the API or a worker and the writer.

    From the moment `put` returns the request is never lost, and it is answered once. Requests are
    taken in the order in which they were put. What is asked twice under one key is one request, also
    when both come at once; the ledger forgets keys after a while.
    """

    async def put(self, request: WriteRequest) -> RequestId:
        """Make the request durable; return the id that it is answered under.

        Putting the same id again changes nothing. Where its key is known, the id is that of the earlier request;
        raises KeyReused where that one asked for something else. Raises Waiting with the reason, and keeps nothing,
        while the writer cannot write.
        """
        ...

    async def keyed(self, key: RequestKey) -> RequestId | None:
        """Return the request that was put with a key; raises KeyReused where it asked for something else."""
        ...

    async def status(self, request: UUID) -> RequestStatus | None:
        """Return what became of a request, or None for an id that was never put."""
        ...

    async def facts(self, asked: LedgerQuestions) -> Facts:
        """Return what the ledger knows that decides requests; a run that it does not know yet is under way."""
        ...


class WriterQueue(RequestQueue, Protocol):
    """The same queue as the one writer of a repository sees it."""

    @property
    def changes(self) -> WriterChanges:
        """The changes that requests are about."""
        ...

    def hold(self) -> AbstractAsyncContextManager[WriterLock]:
        """Hold the queue's writer lock on a connection of its own; raises Conflict when another holds it."""
        ...

    async def waiting(self, limit: int) -> Sequence[WriteRequest]:
        """Return the oldest waiting requests, as many as `in_one_batch` yields."""
        ...

    async def cursor(self) -> str | None:
        """Return the newest commit whose closing transaction is done."""
        ...

    async def close(
        self,
        closings: Sequence[Closing],
        refused: Sequence[Refused],
        head: str | None,
        steps: Sequence[ChangeStep] = (),
    ) -> None:
        """In one transaction: answers, projection, changes, events, and the cursor at `head`. May be repeated.

        A request with a key that the ledger does not know is remembered as answered by its commit. Raises Conflict
        where another became the writer meanwhile.
        """
        ...

    async def stalled(self, reason: str) -> None:
        """Say what keeps the writer from writing, or by an empty reason that nothing does any more."""
        ...

    async def crashed(self, request: UUID, reason: str) -> None:
        """Count a crash of this request's check; the third parks it with the reason."""
        ...

    async def forget_keys(self, older_than: timedelta) -> int:
        """Forget the keys of answered requests that were put so long ago; return how many."""
        ...


class WriterLock(Protocol):
    """The writer's lock while it is held."""

    async def verify(self) -> None:
        """Raise Conflict when the lock was lost, with its connection, since it was taken."""
        ...
