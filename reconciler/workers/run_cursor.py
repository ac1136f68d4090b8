"""The run cursor: walks main commit by commit and gives every Run its row in the ledger."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

from reconciler.ports.repository import Repository
from reconciler.ports.run_ledger import RunLedger
from reconciler.workers.asked_runs import runs_of
from reconciler.workers.loop import Turned
from reconciler.workers.past_runs import PastRuns

log = logging.getLogger(__name__)

COMMITS_A_TURN = 500


@dataclass
class RunCursor:
    """Admits runs in the order of main, each attempt once, however often a commit is walked.

    A ledger that is younger than main knows nothing of the runs of the past: it is told how they ended, if anything
    says so, and begins with what is asked for from then on.
    """

    repository: Repository
    ledger: RunLedger
    repository_uid: UUID
    past: PastRuns

    async def turn(self) -> Turned:
        """Walk some commits further."""
        cursor, head = await self.ledger.cursor(), await asyncio.to_thread(self.repository.head)
        if head is None or head == cursor:
            return Turned.IDLE
        if cursor is None and (found := await self.past.found()) is not None:
            log.warning("the ledger is younger than main; of the runs before it %s", await self.past.recall(found))
            return Turned.ONE
        commits = await asyncio.to_thread(self.repository.between, cursor, head)
        for commit in commits[:COMMITS_A_TURN]:
            runs, removed = await asyncio.to_thread(runs_of, self.repository, self.repository_uid, commit)
            await self.ledger.admit(commit.id, runs, removed)
        return Turned.ONE
