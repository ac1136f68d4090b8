"""Port: what was observed of deployments, events, and the leases of the loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.planning.events import Event, Fact
from reconciler.planning.serving import Condition, Served


class StatusLedger(Protocol):
    """Conditions and what is served; newest wins, and each names the blob it was observed for."""

    async def served(self, tenant: str, project: str, deployment: str) -> Served | None:
        """Return what was last observed of a deployment."""
        ...

    async def record_served(self, served: Served, conditions: Sequence[Condition], commit: str) -> None:
        """Note an observation; a condition that changed is an event, in the same transaction."""
        ...

    async def record_condition(
        self, tenant: str, project: str, deployment: str, condition: Condition, commit: str, fact: Fact | None
    ) -> bool:
        """Note one condition and, where it changed, the fact; return whether it changed."""
        ...

    async def forget_deployments(self, keep: Sequence[tuple[str, str, str]]) -> None:
        """Drop the status of all deployments but these."""
        ...


class Outbox(Protocol):
    """Events in the order of their commits."""

    async def unpublished(self, limit: int) -> Sequence[Event]:
        """Return the oldest events that no open transaction can precede and that are not published."""
        ...

    async def mark_published(self, events: Sequence[Event]) -> None:
        """Note that the bus has these."""
        ...


class Leases(Protocol):
    """Which process runs a loop."""

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; return whether `holder` has it now, for `seconds` from now."""
        ...

    async def release(self, name: str, holder: str) -> None:
        """Give the lease back early; another holder's lease is untouched."""
        ...
