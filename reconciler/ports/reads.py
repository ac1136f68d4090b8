"""Port: what the API shows of the ledger, one tenant at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from reconciler.planning.events import Event
from reconciler.planning.observations import Delivery, EngineRunId, OutputArtifact
from reconciler.planning.serving import Condition, Served

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class RunView:
    """A run as people see it."""

    uid: UUID
    attempt: int
    project: str
    name: str
    template: str
    parameters: dict[str, Any]
    state: str
    reason: str
    commit: str
    run_id: EngineRunId
    model: str
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None
    outputs: tuple[OutputArtifact, ...]
    delivery: Delivery = Delivery.EXACTLY_ONCE
    """What the engine could promise of it, whatever crashed."""
    duplicates: int = 0
    """Executions beyond the first that were found at the engine, and ended."""


@dataclass(frozen=True)
class TaskView:
    """A task of a run as people see it."""

    name: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    error: str
    metrics: dict[str, float | str]
    """Numbers; `nan` and `inf`, which JSON lacks, as text."""


@dataclass(frozen=True)
class Page:
    """Where a list begins: before this run; None begins with the newest."""

    limit: int
    before: tuple[datetime, UUID] | None = None


@dataclass(frozen=True)
class IntentRow:
    """An intent at head as the projection has it: which commit last changed it, when, and whose."""

    path: str
    blob: str
    labels: Mapping[str, str]
    commit: str
    author: str
    committed_at: datetime


@dataclass(frozen=True)
class IntentFilter:
    """Which intents a list is of, and where it begins: after `after`. They come by path."""

    limit: int
    after: str = ""
    below: str = ""
    """Only paths that begin so."""
    kind: str | None = None
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VersionRow:
    """A commit that changed an intent; `blob` is None where it removed it."""

    sequence: int
    commit: str
    blob: str | None
    request: str
    """The request it answers; empty where it came another way."""


@dataclass(frozen=True)
class Listing(Generic[T_co]):
    """Rows as they were when everything up to a commit of main was in the ledger."""

    commit: str | None
    items: Sequence[T_co]


class TenantReads(Protocol):
    """Rows of one tenant; another tenant's rows are not there at all. The platform sees who its tenants are, too."""

    async def intents(self, wanted: IntentFilter) -> Listing[IntentRow]:
        """Return intents by path."""
        ...

    async def history(self, path: str, limit: int, before: int | None) -> Listing[VersionRow]:
        """Return the commits that changed an intent, newest first, from before a row's sequence number on."""
        ...

    async def runs(self, project: str, page: Page) -> Sequence[RunView]:
        """Return runs, newest first."""
        ...

    async def run(self, project: str, name: str) -> RunView | None:
        """Return the newest attempt of a run."""
        ...

    async def tasks(self, run: RunView) -> Sequence[TaskView]:
        """Return the tasks of an attempt in the order in which they began."""
        ...

    async def tasks_of(self, runs: Sequence[RunView]) -> Mapping[tuple[UUID, int], Sequence[TaskView]]:
        """Return the same of many attempts at once, by uid and attempt; one without tasks is absent."""
        ...

    async def served(self, project: str) -> Sequence[Served]:
        """Return what is served of each deployment."""
        ...

    async def conditions(self, project: str, deployment: str) -> Sequence[Condition]:
        """Return the conditions of a deployment."""
        ...

    async def events_after(self, sequence: int, limit: int) -> Sequence[Event]:
        """Return events after a sequence number, oldest first; none can later appear before one of them."""
        ...

    async def newest_events(self, limit: int) -> Sequence[Event]:
        """Return the newest events, newest first."""
        ...


class Arrivals(Protocol):
    """Hints that something may have changed."""

    def answers(self) -> AsyncIterator[str]:
        """Yield the ids of requests that were answered, with spaces between."""
        ...

    def events(self) -> AsyncIterator[str]:
        """Yield the tenant of each new event."""
        ...
