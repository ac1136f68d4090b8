"""The run cursor: walks main commit by commit and gives every Run its row in the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from intents.identity import identify
from intents.kinds.base import Kind
from intents.problems import InvalidIntent
from intents.reading import read
from reconciler.planning.run_admission import admitted_run
from reconciler.planning.runs import RunRow
from reconciler.ports.repository import Change, CommitInfo, Repository
from reconciler.ports.run_ledger import RunLedger
from reconciler.workers.loop import Turned

COMMITS_A_TURN = 500


@dataclass
class RunCursor:
    """Admits runs in the order of main, each attempt once, however often a commit is walked."""

    repository: Repository
    ledger: RunLedger
    repository_uid: UUID

    async def turn(self) -> Turned:
        """Walk some commits further."""
        cursor, head = await self.ledger.cursor(), await asyncio.to_thread(self.repository.head)
        if head is None or head == cursor:
            return Turned.IDLE
        commits = await asyncio.to_thread(self.repository.between, cursor, head)
        for commit in commits[:COMMITS_A_TURN]:
            runs, removed = await asyncio.to_thread(self._runs_of, commit)
            await self.ledger.admit(commit.id, runs, removed)
        return Turned.ONE

    def _runs_of(self, commit: CommitInfo) -> tuple[list[RunRow], list[str]]:
        changes = [change for change in self.repository.changes(commit.parent, commit.id) if _is_run(change.path)]
        removed = [change.path for change in changes if change.blob is None]
        rows = [row for change in changes if (row := self._row(change, commit))]
        return rows, removed

    def _row(self, change: Change, commit: CommitInfo) -> RunRow | None:
        if change.blob is None:
            return None
        try:
            document = read(change.path, self.repository.blob(change.blob), change.blob)
        except InvalidIntent:
            return None  # it came past the writer, and whoever follows the tree says so
        return admitted_run(self.repository_uid, document, commit.id, commit.asked_by)


def _is_run(path: str) -> bool:
    identity = identify(path)
    return identity is not None and identity.kind is Kind.RUN
