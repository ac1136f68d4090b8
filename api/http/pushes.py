"""From the commits of a push to requests, and to their answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID

from api.http.context import ApiContext
from intents.checks import Facts
from intents.identity import identify
from intents.names import PLATFORM_TENANT
from intents.tree import Tree
from intents.writing import blob_id
from reconciler.planning.changes import ChangeId, ChangeState, Deed, OfChange, not_possible
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.proposing import Known, KnownChange, with_net_writes
from reconciler.planning.push_requests import (
    Asked,
    Pusher,
    as_one,
    first_held,
    onto,
    place_of,
    refusal_of,
    request_id,
    requests_of,
    stands,
    update_of,
)
from reconciler.planning.pushes import CHANGES, PushedCommit, RefUpdate, Target, Unfit, target_of, unfit
from reconciler.planning.writing import Proposed, questions_of
from reconciler.ports.git_service import PushedObjects, TooMuch
from reconciler.ports.repository import Repository
from reconciler.ports.requests import RequestState, RequestStatus
from reconciler.workers.change_branches import read_change

ANSWERED_WITHIN = 60.0
"""Seconds for which a push waits for the writer. What is not answered by then is asked again by the next push."""
LOOK_AGAIN_SECONDS = 1.0
MOST_ATTEMPTS = 50
"""How often a commit may be refused by the writer, and pushed again as it is."""

Fitting = TypeVar("Fitting")


class NotWritten(Exception):
    """A push ends here; `unfit` says why."""

    def __init__(self, unfit: Unfit) -> None:
        super().__init__(unfit.reason)
        self.unfit = unfit


@dataclass
class Outcome:
    """What became of one ref of a push."""

    ref: str
    branch: str = "main"
    old: str = ""
    """Where the branch was."""
    written: list[tuple[PushedCommit, RequestStatus]] = field(default_factory=list)
    """What is on main or in a change of it, in order, whether by this push or by one before."""
    unfit: Unfit | None = None
    """Why the rest is not."""

    @property
    def waits_as(self) -> str:
        """The change that the last of it waits as, for others to approve; empty where that is on main."""
        status = self.written[-1][1] if self.written else None
        return status.change if status and status.state is RequestState.PROPOSED else ""


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
        outcome = Outcome(update.ref, old=self.context.head.commit or "")
        try:
            await self._write(update, outcome)
        except NotWritten as why:
            outcome.unfit = why.unfit
        return outcome

    async def _write(self, update: RefUpdate, outcome: Outcome) -> None:
        target = _fit(target_of(update))
        asked = await (self._for_main(target, outcome) if target.change is None else self._for_change(target, outcome))
        for _, request in asked:
            await self.context.queue(request.tenant).put(request)
        for commit, request in asked:
            status = await self._status(request.tenant, request.id)
            if status is None:
                raise LookupError(request.id)
            if status.state not in {RequestState.COMMITTED, RequestState.PROPOSED}:
                raise NotWritten(refusal_of(commit, status.problems))
            outcome.written.append((commit, status))

    async def _for_main(self, target: Target, outcome: Outcome) -> Asked:
        """Return a request a commit; where one of them needs approval, one request for all: they are one change."""
        commits = await self._commits(target.commit, [outcome.old], outcome.branch)
        new, attempts = await self._new(commits, outcome, None)
        if new and (change := outcome.waits_as):
            reason = f"it builds on change {change}, which is not merged: git push origin HEAD:change/{change}"
            raise NotWritten(Unfit(reason, new[0]))
        tree = await self.context.head.advance()
        beside = await asyncio.to_thread(self._beside, new)
        # Only from the first on: a later one may write what is there now and what one before it takes away.
        while new and stands(new[0], tree, beside):
            new = new[1:]
        asked = list(zip(new, requests_of(new, attempts, self.pusher), strict=True))
        held = await self._held(tree, asked, beside)
        if held is not None and len(new) > 1:
            whole = as_one(new)
            asked = [(whole, next(requests_of([whole], attempts, self.pusher)))]
            await self._held(tree, asked, beside)
        return asked

    async def _for_change(self, target: Target, outcome: Outcome) -> Asked:
        """Return one request for all that the change does not hold yet; none where it holds everything."""
        known = await self._known_change(target.change or ChangeId(""))
        outcome.branch, main, outcome.old = f"change/{known.change.id}", outcome.old, known.change.head
        commits = await self._commits(target.commit, [main, outcome.old], outcome.branch)
        new, attempts = await self._new(commits, outcome, known.change.id)
        if not new:
            return []
        whole = _fit(onto(known, as_one(new)))
        if not whole.files:
            return []
        request = update_of(whole, attempts[whole.id], self.pusher, known.change)
        tree = await self.context.head.advance()
        others = replace(whole, files=tuple(file for file in whole.files if file.path not in known.files))
        beside = await asyncio.to_thread(self._beside, [others])
        await self._held(tree, [(whole, request)], beside, Known({known.change.id: known}))
        return [(whole, request)]

    async def _known_change(self, change: ChangeId) -> KnownChange:
        """Return an open change, whosever it is: its branch says so, and platform admins read all branches."""
        repository = self.context.repository
        tenant = await asyncio.to_thread(_tenant_of, repository, change)
        record = await self.context.changes(tenant).record(change) if tenant else None
        if record is None:
            raise NotWritten(Unfit(f"there is no open change {change}: push to main, and one is made where needed"))
        if problem := not_possible(record.change, OfChange(change, Deed.UPDATE)):
            raise NotWritten(Unfit(problem.message))
        return await asyncio.to_thread(read_change, repository, record)

    async def _commits(self, tip: str, bases: Sequence[str], branch: str) -> Sequence[PushedCommit]:
        """Return those of the pushed commits that no base holds, and that write anything."""
        try:
            commits = await self.objects.commits(tip, bases)
        except TooMuch as error:
            raise NotWritten(Unfit(str(error))) from error
        except KeyError as error:
            raise NotWritten(Unfit("this is no commit")) from error
        if not commits and tip not in bases:
            raise NotWritten(Unfit(f"{branch} is ahead of it, and holds all of it: git pull"))
        if wrong := unfit(commits):
            raise NotWritten(wrong)
        return [each for each in commits if each.files]

    async def _new(
        self, commits: Sequence[PushedCommit], outcome: Outcome, change: ChangeId | None
    ) -> tuple[Sequence[PushedCommit], Mapping[str, int]]:
        """Return the commits that were not taken before, and as which attempt each is to be asked; tell the others.

        What became a change did so with all the commits before it.
        """
        new: list[PushedCommit] = []
        attempts: dict[str, int] = {}
        for commit in commits:
            attempts[commit.id], status = await self._taken_before(commit, change)
            if status is None:
                new.append(commit)
                continue
            if status.change:
                new.clear()
            outcome.written.append((commit, status))
        return new, attempts

    async def _taken_before(self, commit: PushedCommit, change: ChangeId | None) -> tuple[int, RequestStatus | None]:
        """Return what became of a commit that was pushed before, or as which attempt it is to be asked."""
        for attempt in range(MOST_ATTEMPTS):
            found = [
                (tenant, status)
                for tenant in dict.fromkeys((place_of(commit)[0], PLATFORM_TENANT))
                if (status := await self._status(tenant, request_id(commit.id, attempt)))
            ]
            if not found:
                return attempt, None
            if status := await self._lasting(*found[0], change):
                return attempt, status
        raise NotWritten(Unfit(f"refused {MOST_ATTEMPTS} times: commit it anew", commit))

    async def _lasting(self, tenant: str, status: RequestStatus, change: ChangeId | None) -> RequestStatus | None:
        """Return what is left of an answer: nothing of a refusal, nor of a change that was closed."""
        if status.state is not RequestState.PROPOSED:
            return status if status.state is RequestState.COMMITTED and change is None else None
        if change is not None:
            return status if status.change == change else None
        record = await self.context.changes(tenant).record(ChangeId(status.change))
        match record.change.state if record else ChangeState.CLOSED:
            case ChangeState.OPEN:
                return status
            case ChangeState.MERGED if record:
                return replace(status, state=RequestState.COMMITTED, commit=record.change.commit)
        return None

    async def _held(
        self, tree: Tree, asked: Asked, beside: Mapping[str, str | None], known: Known | None = None
    ) -> Proposed | None:
        """Return the first that needs approval; raises NotWritten where one would be refused as things are now."""
        whole = [with_net_writes(tree, request, known or Known()) for _, request in asked]
        facts = await self._facts(questions_of(tree, whole))
        found = await asyncio.to_thread(first_held, tree, facts, asked, beside, known)
        return None if found is None else _fit(found)

    def _beside(self, commits: Sequence[PushedCommit]) -> Mapping[str, str | None]:
        """Return, as they are on main, the blobs of pushed files that are no intents."""
        head, read = self.context.head.commit or "", self.context.repository.read
        return {path: None if (body := read(head, path)) is None else blob_id(body) for path in _beside(commits)}

    async def _facts(self, asked: LedgerQuestions) -> Facts:
        """Ask the ledger, which shows one tenant at a time."""
        found = Facts()
        for tenant, about in asked.by_tenant().items():
            known = await self.context.queue(tenant).facts(about)
            found = Facts(found.active | known.active, found.retired | known.retired)
        return found

    async def _status(self, tenant: str, request: UUID) -> RequestStatus | None:
        """Return a request's answer; None for one that was never put."""
        queue = self.context.queue(tenant)
        while True:
            hint = self.context.answered.of(request)
            status = await queue.status(request)
            left = self.deadline - time.monotonic()
            if status is None or status.state is not RequestState.WAITING:
                return status
            if left <= 0:
                raise NotWritten(Unfit("the writer has not come to it yet: push again, nothing is written twice"))
            await hint.wait(min(left, LOOK_AGAIN_SECONDS))


def _fit(found: Fitting | Unfit) -> Fitting:
    """Return what was found; raises NotWritten where that is a reason not to write."""
    if isinstance(found, Unfit):
        raise NotWritten(found)
    return found


def _tenant_of(repository: Repository, change: ChangeId) -> str:
    """Return whose an open change is, as its branch says; empty where there is none."""
    tip = repository.head(f"{CHANGES}/{change}")
    said = repository.info(tip).trailers.get("Ordain-Project", ()) if tip else ()
    return said[0].partition("/")[0] if said else ""


def _beside(commits: Sequence[PushedCommit]) -> Iterator[str]:
    paths = {file.path for commit in commits for file in commit.files}
    return (path for path in sorted(paths) if identify(path) is None)
