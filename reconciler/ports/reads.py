"""Port: what the API shows of the ledger, one tenant at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from reconciler.planning.events import Event
from reconciler.planning.observations import EngineRunId, OutputArtifact
from reconciler.planning.serving import Condition, Served


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


class TenantReads(Protocol):
    """Rows of one tenant; another tenant's rows are not there at all."""

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
        """Yield whenever requests were answered."""
        ...

    def events(self) -> AsyncIterator[str]:
        """Yield the tenant of each new event."""
        ...
