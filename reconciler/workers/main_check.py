"""Checks what others put on the forge's main, and tells it there: it is on main all the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from intents.kinds import platform as kinds
from intents.tree import Tree
from reconciler.planning.foreign import foreign_problems, summary
from reconciler.planning.forge import Check, Verdict
from reconciler.ports.forge import Forge
from reconciler.ports.repository import CommitInfo, Repository
from reconciler.workers.loop import Turned
from reconciler.workers.tree_at_head import TreeAtHead

log = logging.getLogger(__name__)

CHECK = "ordain/main"
"""What the check is called on the forge."""


@dataclass
class MainCheck:
    """Holds commits that are not the platform's own against the checks that it would have made before them.

    The newest of them gets a check on the forge, for whoever pushed it to see. What was on main before the first turn
    is not looked at: it was then, or came before the forge was home.
    """

    repository: Repository
    head: TreeAtHead
    forge: Callable[[kinds.Forge], Forge]
    _seen: tuple[str, Tree] | None = None

    async def turn(self) -> Turned:
        """Check what came since the last turn; where it cannot be told, the next turn tells it."""
        tree = await self.head.advance()
        commit, home = self.head.commit, tree.platform.repository.forge if self.head.commit else None
        if commit is None or home is None:
            self._seen = None
            return Turned.IDLE
        if self._seen is not None and self._seen[0] != commit:
            await self._check(self._seen, commit, tree, home)
        self._seen = (commit, tree)
        return Turned.IDLE

    async def _check(self, seen: tuple[str, Tree], commit: str, tree: Tree, home: kinds.Forge) -> None:
        before, known = seen
        foreign = await asyncio.to_thread(self._foreign, before, commit)
        if not foreign:
            return
        files = await asyncio.to_thread(self._files, foreign, commit)
        problems = await asyncio.to_thread(foreign_problems, known, tree, files)
        for problem in problems:
            log.warning("%s is on main, put there by %s: %s", foreign[-1].id, foreign[-1].author.name, problem)
        verdict = Verdict.FAILURE if problems else Verdict.SUCCESS
        await self.forge(home).set_check(foreign[-1].id, Check(CHECK, verdict, summary(problems)))

    def _foreign(self, old: str, new: str) -> Sequence[CommitInfo]:
        """Return the commits that carry out no request; every one of ours does."""
        return [commit for commit in self.repository.between(old, new) if "Ordain-Request" not in commit.trailers]

    def _files(self, commits: Sequence[CommitInfo], newest: str) -> Mapping[str, bytes | None]:
        """Return the files that the commits touched, as they are by now."""
        paths = {change.path for each in commits for change in self.repository.changes(each.parent, each.id)}
        return {path: self.repository.read(newest, path) for path in sorted(paths)}
