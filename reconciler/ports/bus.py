"""Port: the stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from reconciler.planning.events import Event


class Bus(Protocol):
    """JetStream, or what stands for it. An event is a hint to look: the truth is git and the ledger."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish in order; returns when the stream has them. An id that it has already is dropped there."""
        ...

    def hints(self, durable: str, subject: str) -> AsyncIterator[str]:
        """Yield the subject of each event as it arrives, for a durable consumer; reconnects by itself."""
        ...
