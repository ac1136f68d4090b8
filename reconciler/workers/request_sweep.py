"""The request sweep: idempotency keys are kept for a week, not for ever."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from reconciler.planning.idempotency import KEPT
from reconciler.ports.requests import WriterQueue
from reconciler.workers.loop import Turned

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3600.0


@dataclass
class RequestSweep:
    """Forgets the keys of requests that were answered long ago; their rows and answers stay."""

    queue: WriterQueue

    async def turn(self) -> Turned:
        """Forget what is old enough now."""
        if forgotten := await self.queue.forget_keys(KEPT):
            log.info("forgot %d idempotency keys", forgotten)
        return Turned.IDLE
