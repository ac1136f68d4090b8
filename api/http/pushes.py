"""From the commits of a push to requests, and to their answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from api.http.context import ApiContext
from intents.checks import Facts
from intents.identity import identify
from intents.writing import blob_id
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.pushes import (
    PushedCommit,
    Pusher,
    RefUpdate,
    Unfit,
    first_refused,
    place_of,
    request_id,
    requests_of,
    stands,
    summary,
    target_of,
    told,
    unfit,
)
from reconciler.planning.writing import WriteRequest, questions_of
from reconciler.ports.git_service import PushedObjects, TooMuch
from reconciler.ports.requests import RequestState, RequestStatus

ANSWERED_WITHIN = 60.0
"""Seconds for which a push waits for the writer. What is not answered by then is asked again by the next push."""
LOOK_AGAIN_SECONDS = 1.0
MOST_ATTEMPTS = 50
"""How often a commit may be refused by the writer, and pushed again as it is."""


class NotWritten(Exception):
    """A push ends here; `unfit` says why."""

    def __init__(self, unfit: Unfit) -> None:
        super().__init__(unfit.reason)
        self.unfit = unfit


@dataclass
class Outcome:
    """What became of one ref of a push."""

    ref: str
    old: str = ""
    """Where main was."""
    written: list[tuple[PushedCommit, RequestStatus]] = field(default_factory=list)
    """What is on main of it, in order, whether by this push or by one before."""
    unfit: Unfit | None = None
    """Why the rest is not."""


@dataclass(frozen=True)
class Push:
    """One push of one person."""

    context: ApiContext
    pusher: Pusher
    objects: PushedObjects
    deadline: float = field(default_factory=lambda: time.monotonic() + ANSWERED_WITHIN)

    async def outcome(self, update: RefUpdate) -> Outcome:
        """Have the commits of one ref written: all of them, unless somebody else is faster with a path of theirs."""
        await self.context.head.advance()
        outcome = Outcome(update.ref, self.context.head.commit or "")
        try:
            await self._write(update, outcome)
        except NotWritten as why:
            outcome.unfit = why.unfit
        return outcome

    async def _write(self, update: RefUpdate, outcome: Outcome) -> None:
        attempts: dict[str, int] = {}
        new: list[PushedCommit] = []
        for commit in await self._commits(update, outcome.old):
            attempts[commit.id], status = await self._asked_before(commit)
            if status is None:
                new.append(commit)
            else:
                outcome.written.append((commit, status))
        asked = await self._requests(new, attempts)
        for _, request in asked:
            await self.context.queue(request.tenant).put(request)
        for commit, request in asked:
            outcome.written.append((commit, await self._answer(commit, request)))

    async def _commits(self, update: RefUpdate, head: str) -> Sequence[PushedCommit]:
        """Return those of a ref's commits that main lacks, and that write anything."""
        target = target_of(update)
        if isinstance(target, Unfit):
            raise NotWritten(target)
        try:
            commits = await self.objects.commits(target, head)
        except TooMuch as error:
            raise NotWritten(Unfit(str(error))) from error
        except KeyError as error:
            raise NotWritten(Unfit("this is no commit")) from error
        if not commits and target != head:
            raise NotWritten(Unfit("main is ahead of it, and holds all of it: git pull"))
        if wrong := unfit(commits):
            raise NotWritten(wrong)
        return [each for each in commits if each.files]

    async def _asked_before(self, commit: PushedCommit) -> tuple[int, RequestStatus | None]:
        """Return the answer to a commit that was pushed and written before, or as which attempt it is to be asked."""
        tenant, _ = place_of(commit)
        for attempt in range(MOST_ATTEMPTS):
            status = await self._status(tenant, request_id(commit.id, attempt))
            if status is None or status.state is RequestState.COMMITTED:
                return attempt, status
        raise NotWritten(Unfit(f"refused {MOST_ATTEMPTS} times: commit it anew", commit))

    async def _requests(
        self, commits: Sequence[PushedCommit], attempts: Mapping[str, int]
    ) -> Sequence[tuple[PushedCommit, WriteRequest]]:
        """Return the requests to put; raises NotWritten where one of them would be refused as things are now."""
        tree = await self.context.head.advance()
        beside = await asyncio.to_thread(self._beside, commits)
        # Only from the first on: a later one may write what is there now and what one before it takes away.
        while commits and stands(commits[0], tree, beside):
            commits = commits[1:]
        asked = list(zip(commits, requests_of(commits, attempts, self.pusher), strict=True))
        facts = await self._facts(questions_of(tree, (request for _, request in asked)))
        if refused := await asyncio.to_thread(first_refused, tree, facts, asked, beside):
            raise NotWritten(refused)
        return asked

    def _beside(self, commits: Sequence[PushedCommit]) -> Mapping[str, str | None]:
        """Return, as they are on main, the blobs of pushed files that are no intents."""
        head, read = self.context.head.commit or "", self.context.repository.read
        paths = {file.path for commit in commits for file in commit.files if identify(file.path) is None}
        return {path: None if (body := read(head, path)) is None else blob_id(body) for path in paths}

    async def _facts(self, asked: LedgerQuestions) -> Facts:
        """Ask the ledger, which shows one tenant at a time."""
        found = Facts()
        for tenant, about in asked.by_tenant().items():
            known = await self.context.queue(tenant).facts(about)
            found = Facts(found.active | known.active, found.retired | known.retired)
        return found

    async def _answer(self, commit: PushedCommit, request: WriteRequest) -> RequestStatus:
        status = await self._status(request.tenant, request.id)
        if status is None:
            raise LookupError(request.id)
        if status.state is not RequestState.COMMITTED:
            raise NotWritten(Unfit(summary(status.problems), commit, told(status.problems)))
        return status

    async def _status(self, tenant: str, request: UUID) -> RequestStatus | None:
        """Return a request's answer; None for one that was never put."""
        queue = self.context.queue(tenant)
        while True:
            hint = self.context.answered.next()
            status = await queue.status(request)
            left = self.deadline - time.monotonic()
            if status is None or status.state is not RequestState.WAITING:
                return status
            if left <= 0:
                raise NotWritten(Unfit("the writer has not come to it yet: push again, nothing is written twice"))
            await hint.wait(min(left, LOOK_AGAIN_SECONDS))
