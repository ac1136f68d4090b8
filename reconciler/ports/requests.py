"""Port: the durable queue of write requests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from intents.problems import Problem
from reconciler.planning.events import Fact
from reconciler.planning.writing import Refused, RequestId, WriteRequest


class RequestState(StrEnum):
    """What became of a request."""

    WAITING = "waiting"
    COMMITTED = "committed"
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
    problems: tuple[Problem, ...]
    conflict: bool


@dataclass(frozen=True)
class Projected:
    """One changed path of a commit, for the projection of the head; `blob` is None where it was removed."""

    path: str
    tenant: str
    project: str
    kind: str
    name: str
    blob: str | None


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


class RequestQueue(Protocol):
    """Write requests between the API or a worker and the writer.

    From the moment `put` returns the request is never lost, and it is answered once. Requests are
    taken in the order in which they were put.
    """

    async def put(self, request: WriteRequest) -> None:
        """Make the request durable; putting the same id again changes nothing."""
        ...

    async def status(self, request: UUID) -> RequestStatus | None:
        """Return what became of a request, or None for an id that was never put."""
        ...


class WriterQueue(RequestQueue, Protocol):
    """The same queue as the one writer of a repository sees it."""

    def hold(self) -> AbstractAsyncContextManager[WriterLock]:
        """Hold the queue's writer lock on a connection of its own; raises Conflict when another holds it."""
        ...

    async def waiting(self, limit: int) -> Sequence[WriteRequest]:
        """Return the oldest waiting requests."""
        ...

    async def cursor(self) -> str | None:
        """Return the newest commit whose closing transaction is done."""
        ...

    async def close(self, closings: Sequence[Closing], refused: Sequence[Refused], head: str | None) -> None:
        """In one transaction: answers, projection, events, and the cursor at `head`. May be repeated."""
        ...

    async def crashed(self, request: UUID, reason: str) -> None:
        """Count a crash of this request's check; the third parks it with the reason."""
        ...


class WriterLock(Protocol):
    """The writer's lock while it is held."""

    async def verify(self) -> None:
        """Raise Conflict when the lock was lost, with its connection, since it was taken."""
        ...
