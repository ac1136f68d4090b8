"""A state of a repository: its files, the tree of its intents, and what is wrong with single files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from intents.documents import Document
from intents.identity import identify, misplaced
from intents.kinds import Spec
from intents.problems import InvalidIntent, Problem
from intents.reading import read_as
from intents.tree import Tree


@dataclass(frozen=True)
class State:
    """One state. The tree has the valid intents alone; `problems` tells of the other files."""

    blobs: Mapping[str, str] = field(default_factory=dict)
    """The id git gives each file's bytes, by path."""
    tree: Tree = field(default_factory=Tree.empty)
    problems: tuple[Problem, ...] = ()

    def differing(self, other: State) -> frozenset[str]:
        """Return the paths of files that are only in one of two states, or not the same in both."""
        return frozenset(path for path, _ in self.blobs.items() ^ other.blobs.items())

    def advanced(self, blobs: Mapping[str, str], body: Callable[[str], bytes]) -> State:
        """Return the state with these files; `body` gives the bytes of those that are not the same here."""
        changed = self.differing(State(blobs))
        problems = [problem for problem in self.problems if problem.path not in changed]
        documents: dict[str, Document[Spec] | None] = dict.fromkeys(changed & set(self.tree))
        for path in sorted(changed & blobs.keys()):
            try:
                if (identity := identify(path)) is not None:
                    documents[path] = read_as(identity, path, body(path), blobs[path])
                elif problem := misplaced(path):
                    problems.append(problem)
            except InvalidIntent as invalid:
                problems += invalid.problems
        return State(blobs, self.tree.advance(documents), tuple(problems))
