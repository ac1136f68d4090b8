"""What a rule is given, and what rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from intents.documents import Document
from intents.problems import Problem
from intents.tree import AnyDocument, Tree


@dataclass(frozen=True, slots=True)
class Change:
    """One path, with the trees before and after. `before is after` for an intent that stays as it is."""

    base: Tree
    head: Tree
    path: str
    before: AnyDocument | None
    after: AnyDocument | None

    @staticmethod
    def of(base: Tree, head: Tree, path: str) -> Change:
        """Return what happens to `path`."""
        return Change(base, head, path, base.get(path), head.get(path))

    @property
    def document(self) -> Document:
        """The intent as it is to be. Only for rules of intents that are there."""
        if self.after is None:
            raise LookupError(self.path)
        return self.after

    @property
    def removed(self) -> Document:
        """The intent as it was. Only for rules of removals."""
        if self.before is None:
            raise LookupError(self.path)
        return self.before


Rule: TypeAlias = Callable[[Change], Iterable[Problem]]


def repeated(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield position and name of each name that was there before."""
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            yield position, name
        seen.add(name)
