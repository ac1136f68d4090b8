"""The branches of changes that wait for approval: `change/<id>`, moved by the writer alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from intents.authority import Principal
from intents.problems import Problem
from reconciler.planning.changes import Change, ChangeId, ChangeState, ChangeVerb
from reconciler.planning.commit_messages import WHEN_APPROVED, change_message
from reconciler.planning.proposing import Known, KnownChange
from reconciler.planning.writing import Accepted, Closed, Decision, Proposed, Refused, WriteRequest
from reconciler.ports.changes import ChangeRecord, ChangeStep, WriterChanges
from reconciler.ports.errors import Conflict, Waiting
from reconciler.ports.repository import CommitInfo, NewCommit, RefMove, Repository, Signature
from reconciler.ports.requests import WriterLock
from reconciler.workers.authors import author_of

log = logging.getLogger(__name__)

OPEN = "refs/heads/change"
ENDED = "refs/ordain/changes"
"""Where a change's commits stay known once it ended: no branch any more, and fetched by nobody."""
MOST_ENDED = 1_000
"""Ended changes whose commits are kept; of older ones, those that were merged are in main's history."""
STAGING = "changes"

CRASH_POINTS = ("after-branch-pack", "after-branch-move", "after-retire")


@dataclass(frozen=True)
class Proposal:
    """A request that becomes a commit of a change, and the commit of main that it was decided on."""

    base: str
    decision: Proposed

    @property
    def old(self) -> str | None:
        """Where the change's branch is before."""
        return self.decision.before.head if self.decision.before else None


def proposals(decisions: Iterable[Decision], head: str | None, commits: Sequence[CommitInfo]) -> Iterator[Proposal]:
    """Yield what becomes a change; `commits` are those of the accepted requests on top of `head`, in order.

    Each stands on what main was when it was decided: what the requests after it write is no part of that.
    """
    base, made = head, iter(commits)
    for decision in decisions:
        if isinstance(decision, Accepted):
            base = next(made).id
        elif isinstance(decision, Proposed) and base is not None:
            yield Proposal(base, decision)


@dataclass
class ChangeBranches:
    """What the writer does beside main. Each step leaves git alone enough to finish it from."""

    repository: Repository
    changes: WriterChanges
    committer: Signature
    now: Callable[[], datetime]
    reached: Callable[[str], None]
    """Called at each of CRASH_POINTS."""

    async def known(self, requests: Iterable[WriteRequest]) -> Known:
        """Return what requests about changes are decided on."""
        asked = {request.of_change.id for request in requests if request.of_change}
        records = await self.changes.known(asked)
        return await asyncio.to_thread(_read, self.repository, records) if records else Known()

    async def propose(
        self, proposed: Sequence[Proposal], lock: WriterLock
    ) -> tuple[Sequence[ChangeStep], Sequence[Refused]]:
        """Make one commit a proposal in one pack, then move their branches; return what the ledger is to be told.

        A branch that is not where the ledger knows it was moved by other hands: such a proposal is refused.
        """
        here = [await asyncio.to_thread(self.repository.head, _branch(each.decision.change)) for each in proposed]
        fit = [each for each, at in zip(proposed, here, strict=True) if at == each.old]
        refused = [_moved_by_others(each) for each in proposed if each not in fit]
        if not fit:
            return (), refused
        commits = [self._new_commit(each) for each in fit]
        ids = await asyncio.to_thread(self.repository.append, STAGING, None, commits)
        self.reached("after-branch-pack")
        await lock.verify()
        moves = [RefMove(_branch(each.decision.change), each.old, id_) for each, id_ in zip(fit, ids, strict=True)]
        await asyncio.to_thread(self.repository.move_all, moves)
        self.reached("after-branch-move")
        made = zip(fit, commits, ids, strict=True)
        return [_proposed(each, commit.at, id_) for each, commit, id_ in made], refused

    def close(self, decisions: Iterable[Decision]) -> Sequence[ChangeStep]:
        """Return what the ledger is to be told of changes that are closed."""
        closed = [each for each in decisions if isinstance(each, Closed)]
        return [ChangeStep(_closed(each, self.now()), ChangeVerb.CLOSED, each.request.id) for each in closed]

    async def unrecorded(self, asked: Iterable[WriteRequest]) -> Sequence[ChangeStep]:
        """Return what branches hold and the ledger does not: a crash, or a new ledger, came in between.

        `asked` are requests that may have led to it: they know more of their author than a commit does.
        """
        branches = await asyncio.to_thread(self.repository.refs, OPEN)
        records = await self.changes.known([ChangeId(name) for name in branches])
        unknown = {ChangeId(name): tip for name, tip in branches.items() if _is_news(records.get(ChangeId(name)), tip)}
        requests: dict[UUID, WriteRequest] = {request.id: request for request in asked}
        found = [
            await asyncio.to_thread(_found, self.repository, change, tip, records.get(change), requests)
            for change, tip in unknown.items()
        ]
        return [step for step in found if step is not None]

    async def tidy(self) -> None:
        """Remove the branches of all changes that ended."""
        branches = await asyncio.to_thread(self.repository.refs, OPEN)
        records = await self.changes.known([ChangeId(name) for name in branches])
        await self.retire([name for name, each in records.items() if each.change.state is not ChangeState.OPEN])

    async def retire(self, ended: Collection[ChangeId]) -> None:
        """Remove the branches of changes that ended; what cannot be removed now is when the writer starts again."""
        if not ended:
            return
        try:
            await asyncio.to_thread(_retire, self.repository, ended)
        except (Conflict, Waiting) as why:
            log.warning("the branches of %s stay for now: %s", ", ".join(ended), why)
        self.reached("after-retire")

    def _new_commit(self, proposal: Proposal) -> NewCommit:
        decision = proposal.decision
        author, at = author_of(decision.request)
        message = change_message(decision, proposal.base)
        onto = proposal.old or proposal.base
        return NewCommit(author, self.committer, self.now(), message, decision.files, onto, at)


def read_change(repository: Repository, record: ChangeRecord) -> KnownChange:
    """Return a change with what git holds of it; raises KeyError where its commits are gone. Blocks."""
    change = record.change
    for commit in (change.head, change.base):
        repository.info(commit)  # `read` tells a commit that is gone from one without the path by nothing
    files = {path: repository.read(change.head, path) for path in change.paths}
    before = {path: repository.read(change.base, path) for path in change.paths}
    return KnownChange(change, files, before, record.approvals)


def _read(repository: Repository, records: Mapping[ChangeId, ChangeRecord]) -> Known:
    found: dict[ChangeId, KnownChange] = {}
    for name, record in records.items():
        try:
            found[name] = read_change(repository, record)
        except KeyError:
            log.error("the commits of change %s are gone", name)  # noqa: TRY400 - nothing crashed
    return Known(found)


def _branch(change: ChangeId) -> str:
    return f"{OPEN}/{change}"


def _moved_by_others(proposal: Proposal) -> Refused:
    change = proposal.decision.change
    message = f"the branch change/{change} was moved by other hands"
    return Refused(proposal.decision.request, (Problem("change-updated", "", 0, 0, message, "make a new request"),))


def _proposed(proposal: Proposal, at: datetime, head: str) -> ChangeStep:
    decision = proposal.decision
    request, before = decision.request, decision.before
    paths = tuple(sorted(decision.files))
    if before is not None:
        merge = request.merge_when_approved or before.merge_when_approved
        updated = replace(before, base=proposal.base, head=head, paths=paths, updated_at=at, merge_when_approved=merge)
        return ChangeStep(updated, ChangeVerb.UPDATED, request.id)
    opened = Change(
        id=decision.change,
        tenant=request.tenant,
        project=request.project,
        author=request.principal,
        email=request.email or request.principal.user,
        subject=request.subject,
        base=proposal.base,
        head=head,
        paths=paths,
        opened_at=at,
        updated_at=at,
        merge_when_approved=request.merge_when_approved,
    )
    return ChangeStep(opened, ChangeVerb.OPENED, request.id)


def _closed(decision: Closed, at: datetime) -> Change:
    return replace(decision.change, state=ChangeState.CLOSED, ended_by=decision.request.asked_by, updated_at=at)


def _is_news(record: ChangeRecord | None, tip: str) -> bool:
    return record is None or (record.change.state is ChangeState.OPEN and record.change.head != tip)


def _found(
    repository: Repository,
    change: ChangeId,
    tip: str,
    record: ChangeRecord | None,
    asked: Mapping[UUID, WriteRequest],
) -> ChangeStep | None:
    """Read from git what the newest commit of a branch did to its change; None for a branch that is not the writer's.

    Of a change that the ledger never knew, the author's groups are known only where their request still waits.
    """
    line = list(_line(repository, change, tip))
    if not line:
        return None
    newest, first = line[0], line[-1]
    request = UUID(_trailer(newest, "Ordain-Request"))
    news = {"base": _trailer(newest, "Ordain-Base"), "head": tip, "paths": newest.trailers.get("Ordain-Intent", ())}
    if record is not None:
        updated = replace(record.change, **news, updated_at=newest.at)  # type: ignore[arg-type]
        return ChangeStep(updated, ChangeVerb.UPDATED, request)
    tenant, _, project = _trailer(first, "Ordain-Project").partition("/")
    asking = asked.get(request)
    opened = Change(
        id=change,
        tenant=tenant,
        project=project,
        author=asking.principal if asking else Principal(first.asked_by),
        email=first.author.email if first.asked_by == first.author.name else first.asked_by,
        subject=first.subject,
        opened_at=first.at,
        updated_at=newest.at,
        merge_when_approved=any(each.trailers.get("Ordain-Merge") == (WHEN_APPROVED,) for each in line),
        **news,  # type: ignore[arg-type]
    )
    return ChangeStep(opened, ChangeVerb.OPENED, request)


def _line(repository: Repository, change: ChangeId, tip: str) -> Iterator[CommitInfo]:
    """Yield the commits of a change, newest first."""
    at: str | None = tip
    while at is not None:
        info = repository.info(at)
        if info.trailers.get("Ordain-Change") != (change,) or "Ordain-Base" not in info.trailers:
            return
        yield info
        at = info.parent


def _trailer(commit: CommitInfo, name: str) -> str:
    return commit.trailers[name][0]


def _retire(repository: Repository, ended: Collection[ChangeId]) -> None:
    moves: list[RefMove] = []
    for change in ended:
        if (tip := repository.head(_branch(change))) is not None:
            kept = f"{ENDED}/{change}"
            moves += (RefMove(_branch(change), tip, None), RefMove(kept, repository.head(kept), tip))
    repository.move_all([*moves, *_too_old(repository, len(moves) // 2)])


def _too_old(repository: Repository, added: int) -> Iterator[RefMove]:
    """Yield the removal of the oldest of the ended changes that are kept, to make room for `added`."""
    kept = repository.refs(ENDED)
    surplus = len(kept) + added - MOST_ENDED
    if surplus > 0:
        by_age = sorted(kept, key=lambda name: (repository.info(kept[name]).at, name))
        yield from (RefMove(f"{ENDED}/{name}", kept[name], None) for name in by_age[:surplus])
