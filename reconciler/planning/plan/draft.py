"""Writes that are only thought of: the tree as it would be, and what stands in the way of committing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from intents.authority import Principal, forbidden
from intents.identity import identify, misplaced
from intents.problems import InvalidIntent, Problem
from intents.reading import read
from intents.tree import AnyDocument, Tree
from intents.writing import blob_id


@dataclass(frozen=True)
class Draft:
    """The tree after the writes that can be read; of the others `problems` says why they cannot."""

    head: Tree
    problems: tuple[Problem, ...]


def draft(base: Tree, principal: Principal, writes: Mapping[str, bytes | None]) -> Draft:
    """Return what `writes` make of `base`: each path with its new bytes, or None to remove it.

    A path that the person may not change is planned all the same, and said.
    """
    changes: dict[str, AnyDocument | None] = {}
    problems: list[Problem] = []
    removed = {path for path, content in writes.items() if content is None}
    for path, content in writes.items():
        if problem := misplaced(path):
            problems.append(problem)
            continue
        if problem := forbidden(base, principal, path, removed):
            problems.append(problem)
        if identify(path) is None:  # a package, or another file beside the intents
            continue
        try:
            changes[path] = None if content is None else read(path, content, blob_id(content))
        except InvalidIntent as invalid:
            problems += invalid.problems
    return Draft(base.advance(changes), tuple(problems))
