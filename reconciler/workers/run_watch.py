"""The run watch: one look at each project's runs instead of one at each run."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.ports.pipelines import Pipelines
from reconciler.ports.run_ledger import RunLedger
from reconciler.workers.loop import Turned

SWEEP_SECONDS = 5.0
"""How late a change at the engine is seen; a list of 200 runs takes a KFP server up to 310 ms."""


@dataclass
class RunWatch:
    """Lets runs be looked at as soon as they moved at an engine that is not asked about each of them all the time."""

    ledger: RunLedger
    pipelines: Pipelines

    async def turn(self) -> Turned:
        """Look once at all projects whose runs may have moved."""
        moved = await self.pipelines.moved(await self.ledger.projects())
        if moved:
            await self.ledger.wake(moved)
        return Turned.IDLE
