"""The run sweep: what a crash between a run's last record and its tidying left at the engine."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.planning.observations import EngineRunId
from reconciler.ports.pipelines import Pipelines
from reconciler.ports.run_ledger import RunLedger
from reconciler.workers.loop import Turned

SWEEP_SECONDS = 30.0


@dataclass
class RunSweep:
    """Lets the engine forget every run that has ended, whoever died before saying so."""

    ledger: RunLedger
    pipelines: Pipelines

    async def turn(self) -> Turned:
        """Look once through all that the engine keeps."""
        for run_id in await self.ledger.finished(await self.pipelines.kept()):
            await self._forget(run_id)
        return Turned.IDLE

    async def _forget(self, run_id: EngineRunId) -> None:
        """End the run first: a run may have been submitted after its end, by a process that slept meanwhile."""
        await self.pipelines.cancel(run_id)
        await self.pipelines.find(run_id)
        await self.pipelines.forget(run_id)
