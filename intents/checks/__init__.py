"""What a change to the tree may not do. Pure: base and head in, every problem out."""

from __future__ import annotations

from collections.abc import Collection

from intents.problems import Problem
from intents.tree import Tree


def check(base: Tree, head: Tree, changed: Collection[str] | None = None) -> tuple[Problem, ...]:
    """Return every problem of the change from `base` to `head`."""
    return ()
