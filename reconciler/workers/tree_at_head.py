"""The tree at the head of main, in memory, advanced by changed paths."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from intents.identity import identify
from intents.problems import InvalidIntent
from intents.reading import Document, read
from intents.tree import Tree
from reconciler.memory import without_collection
from reconciler.ports.repository import Change, Repository

log = logging.getLogger(__name__)

MOST_REMEMBERED = 4096
"""Pairs of commits of which one is known to follow the other."""


class TreeAtHead:
    """Follows main; a reader's view that is never behind what `advance` returned."""

    def __init__(self, repository: Repository) -> None:
        """Begin with no commit; the first `advance` loads the tree."""
        self._repository = repository
        self._advancing = asyncio.Lock()
        self._contained: set[tuple[str, str]] = set()
        self.commit: str | None = None
        self.tree = Tree.empty()

    async def advance(self) -> Tree:
        """Bring the tree to the newest commit of main and return it."""
        async with self._advancing:
            self.commit, self.tree = await asyncio.to_thread(self._newest)
        return self.tree

    def _newest(self) -> tuple[str | None, Tree]:
        """Return the newest commit and its tree: in one thread, which costs 0.3 ms to go to. Blocks."""
        head = self._repository.head()
        if head is None or head == self.commit:
            return self.commit, self.tree
        return head, advanced(self._repository, self.tree, self.commit, head)

    async def contains(self, commit: str, head: str | None = None) -> bool:
        """Say whether `commit` is `head`, or else the tree's own commit, or one that main had before it."""
        head = head or self.commit
        if head is None or commit == head:
            return head is not None
        if (commit, head) in self._contained:
            return True
        found = await asyncio.to_thread(self._repository.descends, head, commit)
        if found:
            if len(self._contained) >= MOST_REMEMBERED:
                self._contained.clear()
            self._contained.add((commit, head))
        return found


def advanced(repository: Repository, tree: Tree, old: str | None, new: str) -> Tree:
    """Return `tree`, which is the one of commit `old`, as it is at commit `new`."""
    if old is None:
        with without_collection():
            return _with_changes(repository, tree, repository.files(new))
    return _with_changes(repository, tree, repository.changes(old, new))


def _with_changes(repository: Repository, tree: Tree, changes: Iterable[Change]) -> Tree:
    return tree.advance({change.path: _document(repository, change) for change in changes if identify(change.path)})


def _document(repository: Repository, change: Change) -> Document | None:
    """Read one changed path; one that cannot be read stands as absent, and is said.

    The writer lets no such document in; one can only have come past it.
    """
    if change.blob is None:
        return None
    try:
        return read(change.path, repository.blob(change.blob), change.blob)
    except InvalidIntent as invalid:
        log.error("%s is on main and no valid intent, it is left out: %s", change.path, invalid)  # noqa: TRY400
        return None
