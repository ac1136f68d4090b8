"""Upkeep: keeps the repository quick in the background."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from reconciler.planning.upkeep import chores
from reconciler.ports.upkeep import Upkeep
from reconciler.workers.loop import Turned

log = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
"""How often the repository is looked at; counting 100 packs takes a millisecond."""


@dataclass
class Housekeeper:
    """Does what the repository needs, one chore after another."""

    upkeep: Upkeep

    async def turn(self) -> Turned:
        """Do what is to be done now."""
        for chore in chores(await self.upkeep.state()):
            log.info("upkeep: %s", chore)
            await self.upkeep.do(chore)
        return Turned.IDLE
