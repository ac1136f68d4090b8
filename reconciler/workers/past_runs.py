"""The runs of the past, for a ledger that was made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from reconciler.planning.past_runs import PastRun, past_run
from reconciler.planning.runs import RunRow, RunState
from reconciler.ports.anew import LedgerAnew
from reconciler.ports.objects import Objects
from reconciler.ports.repository import Repository
from reconciler.workers.asked_runs import runs_of
from reconciler.workers.run_orchestrator import RECORDS, record_key

READ_AT_ONCE = 16


@dataclass(frozen=True)
class Recalled:
    """How many runs a ledger was told of."""

    recorded: int
    unknown: int

    def __str__(self) -> str:
        return f"{self.recorded:,} ended as their records say, how {self.unknown:,} did is unknown"


@dataclass(frozen=True)
class PastRuns:
    """Tells the ledger how runs ended, by their terminal records; one without is unknown, and never run again."""

    repository: Repository
    ledger: LedgerAnew
    objects: Objects
    repository_uid: UUID

    async def found(self) -> str | None:
        """Return the commit of main that the ledger found when it was made; None where both began together."""
        return await self.ledger.found()

    async def recall(self, upto: str) -> Recalled:
        """Tell of every attempt that main asked for up to a commit."""
        asked = await asyncio.to_thread(self._asked, upto)
        recorded = {record.key for record in await self.objects.list(RECORDS, "runs/")}
        gate = asyncio.Semaphore(READ_AT_ONCE)

        async def one(run: RunRow, at: datetime) -> PastRun:
            async with gate:
                key = record_key(run)
                return past_run(run, at, await self.objects.get(RECORDS, key) if key in recorded else None)

        past = await asyncio.gather(*(one(run, at) for run, at in asked))
        added = await self.ledger.recall(past, upto)
        unknown = sum(each.run.state is RunState.UNKNOWN for each in added)
        return Recalled(len(added) - unknown, unknown)

    def _asked(self, upto: str) -> Sequence[tuple[RunRow, datetime]]:
        commits = self.repository.between(None, upto)
        return [
            (run, commit.at) for commit in commits for run in runs_of(self.repository, self.repository_uid, commit)[0]
        ]
