"""The mirror: pushes branches from here to a remote, and never takes anything from there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from intents.kinds import Kind
from intents.kinds.platform import Home
from intents.tree import Tree
from reconciler.planning.hydration import rendered_ref
from reconciler.planning.remote import Attempt, Push, Stop, Wait, mirror_step
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.remote import RefUpdate, Remote
from reconciler.ports.remotes import MIRROR, RemoteLedger
from reconciler.ports.repository import MAIN, CommitInfo, Repository
from reconciler.workers.loop import Turned
from reconciler.workers.remote_branch import RemoteBranch
from reconciler.workers.tree_at_head import TreeAtHead

LOOK_SECONDS = 60.0
"""How late a foreign move on the mirror is seen where nothing is pushed."""

Branches = Mapping[str, str]
"""Commits by ref."""


@dataclass
class Mirror:
    """Keeps a remote's branches equal to those here: main with `mirror`, the rendered ones also where a forge is home.

    Pushes what is newest, one branch and one push at a time: however many commits came meanwhile, they are one push.
    What the remote has is noted in the ledger with the requests that got there; a remote that is away only delays
    that. A branch that others moved there is left alone, and a person must act; the other branches go on.
    """

    repository: Repository
    head: TreeAtHead
    ledger: RemoteLedger
    remote: Callable[[str], Remote]
    """Returns the remote at an address."""
    clock: Callable[[], float]
    """A clock that only goes forward, in seconds."""
    _done: tuple[str, Branches] | None = None
    _due: float = field(default=float("-inf"))

    async def turn(self) -> Turned:
        """Push every branch that moved; raises Stalled or Waiting for the first that could not be, after all others."""
        tree = await self.head.advance()
        if self.head.commit is None or (address := address_of(tree)) is None:
            return Turned.IDLE
        here = await asyncio.to_thread(self._branches, tree)
        if self._done == (address, here) and self.clock() < self._due:
            return Turned.IDLE
        problems = [problem for ref in here if (problem := await self._mirror(self.remote(address), ref))]
        if problems:
            raise problems[0]
        self._done, self._due = (address, here), self.clock() + LOOK_SECONDS
        return Turned.IDLE

    def _branches(self, tree: Tree) -> Branches:
        rendered = [rendered_ref(document.identity.name) for document in tree.of_kind(Kind.CLUSTER).values()]
        main = [MAIN] if tree.platform.repository.mirror is not None else []
        found = {ref: self.repository.head(ref) for ref in (*main, *sorted(rendered))}
        return {ref: commit for ref, commit in found.items() if commit is not None}

    async def _mirror(self, remote: Remote, ref: str) -> Exception | None:
        """Bring one branch there; return what is in the way, noted."""
        name = name_of(ref)
        try:
            await self._push(remote, ref, name)
        except (Waiting, Stalled) as problem:
            await self.ledger.tell(name, remote.address, str(problem))
            return problem
        return None

    async def _push(self, remote: Remote, ref: str, name: str) -> None:
        known = (await self.ledger.remotes()).get(name)
        before = known.commit if known and known.address == remote.address and known.commit else None
        branch = RemoteBranch(self.repository, remote, ref)
        commit = await asyncio.to_thread(bring, branch, before)
        arrived = await asyncio.to_thread(self._requests, before, commit) if ref == MAIN else ()
        if commit != before or (known is not None and known.reason):
            await self.ledger.reached(name, remote.address, commit, arrived)

    def _requests(self, old: str | None, new: str) -> Sequence[UUID]:
        commits = self.repository.between(old, new)
        return [request for commit in commits for request in _requests_of(commit)]


def bring(branch: RemoteBranch, known: str | None) -> str:
    """Put a branch on the remote as it is here, and return where that is. Blocks; raises Waiting or Stalled."""
    sight = branch.look(known, fetch=False)
    step = mirror_step(sight)
    if isinstance(step, Push):
        pushed = branch.remote.push([RefUpdate(branch.ref, step.expected, step.commit)])
        if pushed.attempt is Attempt.ACCEPTED:
            return step.commit
        sight = branch.look(known, fetch=False)
        step = mirror_step(sight, pushed.attempt, pushed.said)
    match step:
        case Stop(reason):
            raise Stalled(reason)
        case Wait(reason):
            raise Waiting(reason)
    return sight.there or ""


def address_of(tree: Tree) -> str | None:
    """Return where branches are pushed to: the mirror, or the forge that is home."""
    repository = tree.platform.repository
    if repository.home is Home.FORGE and repository.forge is not None:
        return repository.forge.url
    return repository.mirror


def name_of(ref: str) -> str:
    """Return what the ledger calls a branch on the remote."""
    return MIRROR if ref == MAIN else f"{MIRROR}:{ref.removeprefix('refs/heads/')}"


def _requests_of(commit: CommitInfo) -> list[UUID]:
    found: list[UUID] = []
    for text in commit.trailers.get("Ordain-Request", ()):
        with suppress(ValueError):
            found.append(UUID(text))
    return found
