"""The outbox publisher: puts stored events on the stream, in order, at least once."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.ports.bus import Bus
from reconciler.ports.status_ledger import Outbox
from reconciler.workers.loop import Turned

BATCH = 200


@dataclass
class Publisher:
    """Publishes what is not published; the stream drops what a crash makes it send twice."""

    outbox: Outbox
    bus: Bus

    async def turn(self) -> Turned:
        """Publish one batch."""
        events = await self.outbox.unpublished(BATCH)
        if not events:
            return Turned.IDLE
        await self.bus.publish(events)
        await self.outbox.mark_published(events)
        return Turned.ONE
