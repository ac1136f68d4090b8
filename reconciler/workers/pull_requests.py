"""Changes on the forge that is home of main: each open one is a pull request, and what people say there counts."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from intents.kinds import platform as kinds
from intents.tree import Tree
from reconciler.planning.changes import ID_PATTERN, ChangeId, ChangeState
from reconciler.planning.forge import CHANGE_BRANCHES, PullDetails, PullRequest, PullState
from reconciler.planning.proposing import KnownChange, Preview, preview, preview_questions
from reconciler.planning.pull_requests import (
    Action,
    Ask,
    SetCheck,
    Show,
    There,
    branch_of,
    of_ended,
    of_ended_there,
    of_open,
    words,
)
from reconciler.planning.pull_text import not_counting, showing_of
from reconciler.ports.changes import ChangeRecord, ReviewedChanges
from reconciler.ports.errors import Conflict, Stalled, Waiting
from reconciler.ports.forge import Forge
from reconciler.ports.remote import Remote
from reconciler.ports.remotes import PULLS, RemoteLedger, pull_name
from reconciler.ports.repository import Repository
from reconciler.ports.requests import RequestQueue
from reconciler.workers.change_branches import OPEN, read_change
from reconciler.workers.loop import Turned
from reconciler.workers.open_changes import OpenChanges
from reconciler.workers.pull_deeds import Deeds
from reconciler.workers.tree_at_head import TreeAtHead

log = logging.getLogger(__name__)

POLL_SECONDS = 10.0
"""How late a word on the forge is seen where no webhook tells of it."""
SECOND = 1.0
"""What forges count in."""
LEAST_SECONDS = 1.0
"""From one look to the next, however many hints come."""


@dataclass(frozen=True)
class Look:
    """What one look begins with: main as it is here, and what the forge has of changes."""

    tree: Tree
    commit: str
    at: kinds.Forge
    forge: Forge
    remote: Remote
    pulls: Mapping[str, PullRequest]
    """The open ones, by branch."""
    branches: Mapping[str, str]
    """Commits of the branches there, by change."""


@dataclass
class Remembered:
    """What was found and done for a change: only to ask and tell less, never needed."""

    details: PullDetails | None = None
    read_at: float = float("inf")
    """When the details were first read that tell of the pull request's last move."""
    is_settled: bool = False
    """Whether they were read again after that second."""
    planned: tuple[object, Preview] | None = None
    done: Action | None = None
    """What its pull request was last brought to."""


@dataclass
class PullRequests:
    """Lets the forge show what changes are, and takes from it what people with a name here say.

    Everything is looked at anew, and what to do is decided in one place; a step that is cut off is found undone by the
    next look. A forge that is away only delays: changes go on here, and the ledger says what waits for what.
    """

    repository: Repository
    head: TreeAtHead
    queue: RequestQueue
    changes: ReviewedChanges
    ledger: RemoteLedger
    forge: Callable[[kinds.Forge], Forge]
    remote: Callable[[str], Remote]
    """Returns the remote at an address."""
    open_changes: OpenChanges
    now: Callable[[], datetime]
    clock: Callable[[], float]
    """A clock that only goes forward, in seconds."""
    _due: float = float("-inf")
    _looked: float = float("-inf")
    _remembered: dict[ChangeId, Remembered] = field(default_factory=dict)
    _told: dict[str, tuple[str, str]] = field(default_factory=dict)

    def look(self) -> None:
        """Look again soon: someone says that something happened, here or there."""
        self._due = min(self._due, self._looked + LEAST_SECONDS)

    async def turn(self) -> Turned:
        """Look where it is time to; raises Stalled or Waiting for the first of what is in the way, after all others."""
        tree = await self.head.advance()
        commit, at = self.head.commit, tree.platform.repository.forge if self.head.commit else None
        if commit is None or at is None or self.clock() < self._due:
            return Turned.IDLE
        self._looked = self.clock()
        self._due = self._looked + POLL_SECONDS
        problem = await self._look(tree, commit, at)
        if problem is not None:
            self._due = float("-inf")
            raise problem
        return Turned.IDLE

    async def _look(self, tree: Tree, commit: str, at: kinds.Forge) -> Exception | None:
        forge, remote = self.forge(at), self.remote(at.url)
        try:
            pulls = {pull.branch: pull for pull in await forge.list()}
            branches = await asyncio.to_thread(remote.refs, OPEN)
        except (Waiting, Stalled) as problem:
            await self._tell(PULLS, at.url, str(problem))
            return problem
        await self._tell(PULLS, at.url, "")
        return await self._tend_all(Look(tree, commit, at, forge, remote, pulls, branches))

    async def _tend_all(self, look: Look) -> Exception | None:
        """Tend to every change that is open here, or shows there; return the first of what is in the way."""
        here = await asyncio.to_thread(self.repository.refs, OPEN)
        there = (branch.removeprefix(CHANGE_BRANCHES) for branch in look.pulls)
        names = {ChangeId(name) for name in (*here, *look.branches, *there) if re.fullmatch(ID_PATTERN, name)}
        records = await self.changes.known(names)
        self._remembered = {name: kept for name, kept in self._remembered.items() if name in records}
        found: list[Exception] = []
        for name in sorted(records):
            problem = await self._tended(look, records[name])
            found += [problem] if problem is not None else []
            if isinstance(problem, Waiting):
                break  # for all of them, mostly: the forge is away, or wants to be left alone
        return next(iter(found), None)

    async def _tended(self, look: Look, record: ChangeRecord) -> Exception | None:
        change = record.change
        try:
            await (self._open(look, record) if change.state is ChangeState.OPEN else self._ended(look, record))
        except Conflict as moved:
            log.info("pull request of %s: %s; looking again", change.id, moved)
            self.look()
        except (Waiting, Stalled) as problem:
            pull = look.pulls.get(branch_of(change.id))
            await self._tell(pull_name(change.id), pull.url if pull else look.at.url, str(problem))
            return problem
        return None

    async def _ended(self, look: Look, record: ChangeRecord) -> None:
        change = record.change
        await self.ledger.forget(pull_name(change.id))
        self._told.pop(pull_name(change.id), None)
        there = await self._there(look, record)
        for action in of_ended(change, there):
            await self._deeds(look).do(action)
            self.look()

    async def _open(self, look: Look, record: ChangeRecord) -> None:
        known = await self._known(record)
        branch = branch_of(record.change.id)
        pull = look.pulls.get(branch) or await look.forge.latest(branch)
        if known is None:
            return
        if pull is not None and pull.state is not PullState.OPEN:
            if await self._ended_there(look, known, pull):
                return
            pull = None
        details = None if pull is None else await self._details(look, record.change.id, pull)
        known, shown = await self._counted(look, known, details)
        lines = () if details is None else not_counting(look.tree, known.change, shown.digest, details, look.at.people)
        showing = showing_of(known.change, shown, lines)
        for action in of_open(known, await self._there(look, record), shown, showing):
            await self._show(look, known.change.id, action, pull)

    async def _ended_there(self, look: Look, known: KnownChange, pull: PullRequest) -> bool:
        """Follow a pull request that people ended; return whether that is all for now."""
        details = await look.forge.show(pull.number)
        if details is None:
            return False
        if details.pull.state is PullState.MERGED and not await asyncio.to_thread(self._by_hand, look, details.commit):
            return True
        actions = of_ended_there(look.tree, known, details, look.at.people)
        for action in actions:
            log.info("change %s ended on the forge by %s: %s", known.change.id, details.ended_by, action)
            await self._deeds(look).do(action)
        return any(isinstance(action, Ask) for action in actions)

    def _by_hand(self, look: Look, commit: str) -> bool:
        """Whether main here has that commit and the writer did not make it: then the ledger is told by the writer."""
        if not self.repository.descends(look.commit, commit):
            return False
        return "Ordain-Merged-By" not in self.repository.info(commit).trailers

    async def _counted(
        self, look: Look, known: KnownChange, details: PullDetails | None
    ) -> tuple[KnownChange, Preview]:
        """Return a change and its plan, once all words on the forge are in the ledger."""
        shown = await self._preview(look, known)
        said = [] if details is None else list(words(look.tree, known, shown.digest, details, look.at.people))
        if not said:
            return known, shown
        for action in said:
            log.info("a review of change %s: %s", known.change.id, action)
            await self._deeds(look).do(action)
        record = (await self.changes.known([known.change.id]))[known.change.id]
        again = KnownChange(known.change, known.files, known.before, record.approvals)
        return again, await self._preview(look, again)

    async def _preview(self, look: Look, known: KnownChange) -> Preview:
        kept = self._remembered.setdefault(known.change.id, Remembered())
        key = (look.commit, known.change.head, known.approvals)
        if kept.planned is None or kept.planned[0] != key:
            facts = await self.queue.facts(preview_questions(look.tree, known))
            others = await asyncio.to_thread(self.open_changes.beside, look.commit, known.change.head)
            made = await asyncio.to_thread(preview, look.tree, known, now=self.now(), others=others, facts=facts)
            kept.planned = (key, made)
        return kept.planned[1]

    async def _details(self, look: Look, change: ChangeId, pull: PullRequest) -> PullDetails | None:
        """Return what people say of a pull request, read again where anything happened to it.

        Forges count in seconds: what comes in the second that was read is found by reading once more.
        """
        kept, now = self._remembered.setdefault(change, Remembered()), self.clock()
        before = kept.details.pull if kept.details else None
        is_same = before is not None and (before.number, before.updated_at) == (pull.number, pull.updated_at)
        if not (is_same and kept.is_settled):
            kept.details = await look.forge.show(pull.number)
            kept.is_settled = is_same and now - kept.read_at > SECOND
            kept.read_at = kept.read_at if is_same else now
        return kept.details

    async def _show(self, look: Look, change: ChangeId, action: Action, pull: PullRequest | None) -> None:
        """Do what there is to do, but not again what was done: each is a few requests to the forge."""
        kept = self._remembered.setdefault(change, Remembered())
        if kept.done == action and (pull is not None or not isinstance(action, Show)):
            if pull is not None and self._told.get(pull_name(change), ("", ""))[1]:
                await self._reached(change, pull)
            return
        made = await self._deeds(look).do(action)
        if isinstance(action, Show | SetCheck):
            kept.done = action
        if made is not None:
            await self._reached(change, made)

    async def _there(self, look: Look, record: ChangeRecord) -> There:
        change = record.change
        commit, pull = look.branches.get(change.id), look.pulls.get(branch_of(change.id))
        if commit is None:
            return There(None, pull=pull)
        is_known = await asyncio.to_thread(self.repository.has, commit)
        is_older = await asyncio.to_thread(self.repository.descends, change.head, commit)
        return There(commit, is_known, is_older, pull)

    async def _known(self, record: ChangeRecord) -> KnownChange | None:
        try:
            return await asyncio.to_thread(read_change, self.repository, record)
        except KeyError:
            log.error("the commits of change %s are gone", record.change.id)  # noqa: TRY400 - nothing crashed
            return None

    def _deeds(self, look: Look) -> Deeds:
        return Deeds(look.forge, look.remote, self.queue, self.changes)

    async def _tell(self, name: str, address: str, reason: str) -> None:
        """Note what is in the way, where that is news."""
        if self._told.get(name) != (address, reason):
            await self.ledger.tell(name, address, reason)
            self._told[name] = (address, reason)

    async def _reached(self, change: ChangeId, pull: PullRequest) -> None:
        await self.ledger.reached(pull_name(change), pull.url, pull.head)
        self._told[pull_name(change)] = (pull.url, "")
