"""The ledger made anew from git and storage, and a main whose history was rewritten accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from intents.identity import identify
from reconciler.planning.runs import RunRow
from reconciler.ports.anew import LedgerAnew
from reconciler.ports.repository import MAIN, Repository
from reconciler.ports.requests import Closing, WriterQueue
from reconciler.ports.run_ledger import RunLedger
from reconciler.workers.asked_runs import runs_of
from reconciler.workers.closings import closings_of
from reconciler.workers.home_branch import HomeBranch
from reconciler.workers.past_runs import PastRuns, Recalled


class NothingToDo(Exception):
    """What was asked for makes no sense here; the message says why."""


@dataclass(frozen=True)
class Rebuilt:
    """What the ledger was made from."""

    head: str
    commits: int
    recalled: Recalled


@dataclass(frozen=True)
class Adopted:
    """What differs between the main that was known and the one that was adopted."""

    head: str
    paths: Sequence[str]
    runs: Sequence[RunRow]
    """Those that nobody knew: they are run."""


@dataclass(frozen=True)
class Rebuild:
    """Works beside a writer that is up: that one goes on from what is done here."""

    repository: Repository
    ledger: LedgerAnew
    queue: WriterQueue
    runs: RunLedger
    past: PastRuns
    home: HomeBranch | None = None
    """Main's home, where that is a forge."""

    async def rebuild(self) -> Rebuilt:
        """Make the projection anew from all of main; tell of runs of the past that the ledger does not know."""
        cursor, head = await self.queue.cursor(), await asyncio.to_thread(self.repository.head)
        if head is None:
            raise NothingToDo("main has no commit yet")
        if cursor is not None and not await asyncio.to_thread(self.repository.descends, head, cursor):
            raise NothingToDo(
                f"main is at {head}, which does not descend from {cursor}: look at it, then adopt it first"
            )
        closings = await asyncio.to_thread(self._closings, None, head)
        await self.ledger.project(closings, head)
        upto = await self.runs.cursor() or await self.ledger.found()
        recalled = Recalled(0, 0) if upto is None else await self.past.recall(upto)
        return Rebuilt(head, len(closings), recalled)

    async def adopt(self, commit: str) -> Adopted:
        """Go on from a commit that does not descend from what is known, by the net difference.

        Where the known commit is gone from the repository, the projection is made anew.
        """
        cursor = await self.queue.cursor()
        if cursor is None or await asyncio.to_thread(self.repository.descends, commit, cursor):
            raise NothingToDo(f"{commit} descends from {cursor or 'nothing'}, which is known: the writer follows it")
        known, walked = self._here(cursor), self._here(await self.runs.cursor())
        closings = await asyncio.to_thread(self._net_closings, known, commit)
        net = replace(self.repository.info(commit), parent=walked)
        runs, removed = await asyncio.to_thread(runs_of, self.repository, self.past.repository_uid, net)
        await asyncio.to_thread(self.repository.move, MAIN, self.repository.head(), commit)
        if self.home is not None:
            await asyncio.to_thread(self.home.adopt, commit)
        if known is None:
            await self.ledger.project(closings, commit)
        new = await self.ledger.adopt(closings, commit, runs, removed)
        return Adopted(commit, [path for path in closings[-1].paths if identify(path)], new)

    def _here(self, commit: str | None) -> str | None:
        return commit if commit is not None and self.repository.has(commit) else None

    def _closings(self, old: str | None, new: str) -> Sequence[Closing]:
        return list(closings_of(self.repository, self.repository.between(old, new)))

    def _net_closings(self, old: str | None, new: str) -> Sequence[Closing]:
        """Return what commits since the fork answer, and last what differs in all."""
        if old is None:
            return self._closings(None, new)
        answered = self._closings(self.repository.fork(old, new), new)
        net = replace(self.repository.info(new), parent=old, trailers={})
        return [*(replace(each, projected=(), facts=()) for each in answered), *closings_of(self.repository, [net])]
