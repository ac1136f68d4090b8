"""What keeps the writer from writing, told to everyone who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from reconciler.ports.errors import Stalled, Unwritable, Waiting
from reconciler.ports.requests import WriterQueue


@dataclass
class Stalls:
    """Tells through the queue, which takes nothing meanwhile; what is the matter with Postgres, all see themselves."""

    queue: WriterQueue
    _told: str | None = None
    """None before the first time: a predecessor may have told something."""

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell what ends the body where a full disk, a read-only folder or a person's deed is the reason."""
        try:
            yield
        except (Unwritable, Stalled) as error:
            await self._tell(str(error))
            raise

    async def over(self) -> None:
        """Say that nothing keeps the writer from writing."""
        await self._tell("")

    async def _tell(self, reason: str) -> None:
        if reason != self._told:
            with suppress(Waiting):
                await self.queue.stalled(reason)
                self._told = reason
