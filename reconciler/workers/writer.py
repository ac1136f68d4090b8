"""The writer: the only mover of main."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from intents.tree import Tree
from reconciler.planning.changes import ChangeId, ChangeVerb
from reconciler.planning.commit_messages import commit_message
from reconciler.planning.proposing import bounded, decide, in_one_turn, opening, with_net_writes
from reconciler.planning.writing import Accepted, Batch, Decision, Refused, WriteRequest, decide_batch, questions_of
from reconciler.ports.changes import ChangeStep
from reconciler.ports.errors import Conflict
from reconciler.ports.remote import RefUpdate
from reconciler.ports.repository import MAIN, CommitInfo, NewCommit, Repository, Signature
from reconciler.ports.requests import Closing, WriterLock, WriterQueue
from reconciler.workers.authors import author_of
from reconciler.workers.change_branches import OPEN, ChangeBranches, proposals
from reconciler.workers.closings import closings_of
from reconciler.workers.home import Home
from reconciler.workers.loop import SWEEP_SECONDS, Turned, Wake
from reconciler.workers.stalls import Stalls
from reconciler.workers.tree_at_head import advanced

log = logging.getLogger(__name__)

BATCH = 200
"""Requests a pack: from 100 on, starting fast-import (8 ms) no longer shows beside 0.3 to 0.7 ms a commit."""
STAGING = "writer"
LOCK = "writer"

CRASH_POINTS = ("after-take", "after-decide", "after-pack", "after-verify", "after-move", "before-close", "after-close")


@dataclass(frozen=True)
class Head:
    """Main as the writer left it: what it decides next stands on exactly this commit."""

    commit: str | None
    tree: Tree


@dataclass
class Writer:
    """Takes waiting requests in order, commits each on main, or beside it where others have to approve, and answers it.

    One at a time for a repository: it holds the queue's lock, on a connection of its own, and the
    repository's file lock; the first falls with a connection, the second does not. `main` moves by
    compare-and-swap only, and every answer, projection and event of a commit is written in one
    transaction after the move; what a crash leaves between the two is found by the commits' trailers.
    """

    repository: Repository
    queue: WriterQueue
    committer: Signature
    now: Callable[[], datetime]
    reached: Callable[[str], None] = lambda _: None
    """Called at each of CRASH_POINTS; crash tests end the process there."""
    home: Callable[[Tree], Home | None] = lambda _: None
    """The forge that a tree's platform.yaml names as main's home; None where main lives here."""
    _known: Head = Head(None, Tree.empty())
    """The newest head with its tree, for after an error."""

    def __post_init__(self) -> None:
        """Stand on the same repository and queue beside main."""
        self._stalls = Stalls(self.queue)
        self._beside = ChangeBranches(self.repository, self.queue.changes, self.committer, self.now, self.reached)

    async def serve(self, wake: Wake) -> NoReturn:
        """Hold both locks, finish what a predecessor left, then turn until an error or cancellation."""
        async with self.queue.hold() as lock, self._stalls.told():
            with self.repository.lock(LOCK):
                head = await self.recover()
                while True:
                    self._known = head
                    head, turned = await self.turn(head, lock)
                    await self._stalls.over()
                    if turned is Turned.IDLE:
                        await wake.wait(SWEEP_SECONDS)

    async def recover(self) -> Head:
        """Close what was committed and not closed, and return the head."""
        cursor, head = await self.queue.cursor(), await asyncio.to_thread(self.repository.head)
        if cursor is not None and head != cursor:
            head = await asyncio.to_thread(self._restore_main, cursor, head)
        if head is None:
            return Head(None, Tree.empty())
        unclosed = await asyncio.to_thread(self.repository.between, cursor, head)
        steps = await self._beside.unrecorded(await self.queue.waiting(BATCH))
        if unclosed or steps:
            log.info("closing %d commits that a predecessor left open", len(unclosed) + len(steps))
            await self.queue.close(self._closings(unclosed), (), head, steps)
        await self._beside.tidy()
        return Head(head, await asyncio.to_thread(self._tree_at, head))

    def _tree_at(self, head: str) -> Tree:
        """Return the tree of a commit; after an error most of it is known."""
        known = self._known
        if known.commit is not None and self.repository.descends(head, known.commit):
            return advanced(self.repository, known.tree, known.commit, head)
        return advanced(self.repository, Tree.empty(), None, head)

    async def turn(self, head: Head, lock: WriterLock) -> tuple[Head, Turned]:
        """Take what waits, decide, commit, move main, close; return the head after it.

        Raises Conflict where main is no longer at `head`: a git that a killed predecessor had started may move it
        even now, and so may a person. `recover` then closes what was committed, or says that history was rewritten.
        """
        await asyncio.to_thread(self.repository.check_room)
        home = self.home(head.tree)
        newest = await (asyncio.to_thread(self._expected, head) if home is None else home.follow())
        if newest != head.commit:
            return (head, Turned.IDLE) if newest is None else (await self._advance(head, newest), Turned.ONE)
        requests = in_one_turn(await self.queue.waiting(BATCH))
        if not requests:
            return head, Turned.IDLE
        self.reached("after-take")
        batch = await self._decide(head.tree, requests)
        self.reached("after-decide")
        commits = await self._commit(head.commit, batch.accepted, lock, home)
        if commits is None:
            return head, Turned.ONE
        proposed = list(proposals(batch.decisions, head.commit, commits))
        steps, unfit = await self._beside.propose(proposed, lock)
        steps = [*steps, *self._beside.close(batch.decisions)]
        closings = self._closings(commits)
        moved = commits[-1].id if commits else None
        self.reached("before-close")
        await self.queue.close(closings, [*batch.refused, *unfit], moved, steps)
        self.reached("after-close")
        await self._beside.retire(ended(closings, steps))
        return Head(moved or head.commit, batch.tree), Turned.ONE

    def _expected(self, head: Head) -> str | None:
        if (here := self.repository.head()) != head.commit:
            raise Conflict(f"main is at {here}, the writer left it at {head.commit}")
        return here

    async def _decide(self, tree: Tree, requests: Sequence[WriteRequest]) -> Batch:
        """Decide in order; a request that crashes its check is left out, counted, and tried alone later."""
        crashed: dict[UUID, str] = {}
        known = await self._beside.known(requests)
        whole = [with_net_writes(tree, request, known) for request in requests]
        facts = await self.queue.facts(questions_of(tree, whole))

        def decide_one(before: Tree, request: WriteRequest) -> tuple[Tree, Decision]:
            try:
                return decide(before, request, known, facts)
            except Exception as error:
                log.exception("the check of request %s crashed", request.id)
                crashed[request.id] = f"the check crashed: {type(error).__name__}: {error}"
                return before, Refused(request, ())

        batch = await asyncio.to_thread(decide_batch, tree, requests, decide_one)
        for request, reason in crashed.items():
            await self.queue.crashed(request, reason)
        kept = [item for item in batch.decisions if item.request.id not in crashed]
        tenants = opening(kept)
        counts = await self.queue.changes.open_counts(tenants) if tenants else {}
        return Batch(batch.tree, tuple(bounded(kept, counts)))

    async def _commit(
        self, base: str | None, accepted: Sequence[Accepted], lock: WriterLock, home: Home | None
    ) -> Sequence[CommitInfo] | None:
        """Make one commit a request in one pack, then move main from `base` to the last of them.

        None where main on the forge moved otherwise or cannot be told: nothing may be answered before it is looked at.
        """
        if not accepted:
            return ()
        commits = [self._new_commit(item) for item in accepted]
        ids = await asyncio.to_thread(self.repository.append, STAGING, base, commits)
        self.reached("after-pack")
        await lock.verify()
        self.reached("after-verify")
        if home is None or base is None:
            await asyncio.to_thread(self.repository.move, MAIN, base, ids[-1])
        elif await home.land(base, ids[-1], list(_branches(accepted, ids))) != ids[-1]:
            return None
        self.reached("after-move")
        return await asyncio.to_thread(self.repository.between, base, ids[-1])

    def _new_commit(self, accepted: Accepted) -> NewCommit:
        author, at = author_of(accepted.request)
        message = commit_message(accepted)
        return NewCommit(author, self.committer, self.now(), message, accepted.files, authored_at=at)

    async def _advance(self, head: Head, newest: str) -> Head:
        """Close what came to main on the forge, by whomever, and take it for what stands."""
        closings = self._closings(await asyncio.to_thread(self.repository.between, head.commit, newest))
        await self.queue.close(closings, (), newest)
        await self._beside.retire(ended(closings, ()))
        return Head(newest, await asyncio.to_thread(advanced, self.repository, head.tree, head.commit, newest))

    def _closings(self, commits: Sequence[CommitInfo]) -> Sequence[Closing]:
        return list(closings_of(self.repository, commits))

    def _restore_main(self, cursor: str, head: str | None) -> str | None:
        """Move main forward to the cursor where a power cut lost the move but not the commit."""
        try:
            ahead = head is None or bool(self.repository.between(head, cursor))
        except Exception:  # noqa: BLE001 - then main is ahead of the cursor, or both went apart: `between` will say
            return head
        if ahead:
            log.warning("main was behind the closed commit %s: moving it forward", cursor)
            self.repository.move(MAIN, head, cursor)
        return cursor


def _branches(accepted: Sequence[Accepted], commits: Sequence[str]) -> Iterator[RefUpdate]:
    """Yield the branches of the changes that commits merge: with main, they go to the same commits on a forge."""
    for each, commit in zip(accepted, commits, strict=True):
        if each.merges is not None:
            yield RefUpdate(f"{OPEN}/{each.merges.change}", each.merges.head, commit)


def ended(closings: Sequence[Closing], steps: Sequence[ChangeStep]) -> Sequence[ChangeId]:
    """Return the changes that have ended by what the ledger is told."""
    merged = [each.merged.change for each in closings if each.merged]
    return [*merged, *(each.change.id for each in steps if each.verb is ChangeVerb.CLOSED)]
