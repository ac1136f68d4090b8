"""The run sweep: what crashes left at the engine, beside a run or after its last record."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from reconciler.planning.observations import EngineRunId
from reconciler.ports.errors import Waiting
from reconciler.ports.pipelines import Pipelines
from reconciler.ports.run_ledger import RunLedger
from reconciler.workers.loop import Turned

log = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0


@dataclass
class RunSweep:
    """Ends what is executed a second time, and lets the engine forget runs that have ended, whoever died meanwhile."""

    ledger: RunLedger
    pipelines: Pipelines

    async def turn(self) -> Turned:
        """Look once through all that the engine keeps."""
        for run_id in await self.ledger.known(await self.pipelines.doubled()):
            if ended := await self.pipelines.end_duplicates(run_id):
                await self.ledger.duplicated(run_id, ended)
        kept = await self.pipelines.kept(await self.ledger.projects())
        for run_id in await self.ledger.finished(kept):
            await self._forget(run_id)
        return Turned.IDLE

    async def _forget(self, run_id: EngineRunId) -> None:
        """End the run first: a run may have been submitted after its end, by a process that slept meanwhile.

        One that takes its time to end is forgotten by a later sweep, and keeps none of the others from it.
        """
        try:
            await self.pipelines.cancel(run_id)
            await self.pipelines.find(run_id)
            await self.pipelines.forget(run_id)
        except Waiting as waiting:
            log.info("the engine keeps run %s: %s", run_id, waiting)
