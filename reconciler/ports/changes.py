"""Port: the changes that wait for approval, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from reconciler.planning.changes import Approval, Change, ChangeId, ChangeState, ChangeVerb, change_fact
from reconciler.planning.events import Fact


@dataclass(frozen=True)
class ChangeRecord:
    """A change, and the newest word of each person who approved it."""

    change: Change
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True)
class ChangeStep:
    """A change as a request left it: opened, updated or closed. Without a request, as it was found in git."""

    change: Change
    verb: ChangeVerb
    request: UUID | None

    @property
    def fact(self) -> Fact:
        """What happened."""
        return change_fact(self.change, self.verb, self.change.ended_by or self.change.author.user)


@dataclass(frozen=True)
class Merged:
    """A change, and who merged it."""

    change: ChangeId
    by: str


@dataclass(frozen=True)
class ChangeFilter:
    """Which changes a list is of, newest first, and where it begins: before `before`."""

    limit: int
    before: tuple[datetime, ChangeId] | None = None
    state: ChangeState | None = None
    project: str | None = None
    author: str | None = None


class Changes(Protocol):
    """Changes of one tenant; another tenant's are not there at all. Only the writer opens, updates and ends them."""

    async def record(self, change: ChangeId) -> ChangeRecord | None:
        """Return one change, or None where there is none."""
        ...

    async def records(self, wanted: ChangeFilter) -> Sequence[ChangeRecord]:
        """Return changes, newest first."""
        ...

    async def open_count(self) -> int:
        """Return how many are open."""
        ...

    async def approve(self, approval: Approval) -> None:
        """Keep a person's word, in place of an earlier one of theirs, and tell of it.

        Raises Conflict where the change is not open.
        """
        ...


class WriterChanges(Protocol):
    """Changes of all tenants, as the writer sees them."""

    async def known(self, changes: Collection[ChangeId]) -> Mapping[ChangeId, ChangeRecord]:
        """Return those of the changes that there are."""
        ...

    async def open_counts(self, tenants: Collection[str]) -> Mapping[str, int]:
        """Return how many changes each of the tenants has open; 0 may be left out."""
        ...


class ReviewedChanges(Protocol):
    """Changes of all tenants, and what people say of them on a forge."""

    async def known(self, changes: Collection[ChangeId]) -> Mapping[ChangeId, ChangeRecord]:
        """Return those of the changes that there are."""
        ...

    async def approve(self, approval: Approval) -> None:
        """Keep a person's word as Changes does. Raises Conflict where the change is not open."""
        ...

    async def withdraw(self, change: ChangeId, approver: str) -> None:
        """Forget a person's word to an open change, and tell of it; where there is none, do nothing."""
        ...
