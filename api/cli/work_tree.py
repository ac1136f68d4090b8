"""The intents in a folder of a person's machine, committed or not."""

from __future__ import annotations

from pathlib import Path

from api.composition.snapshots import work_tree
from intents.tree import Tree


def tree_in(root: Path) -> Tree:
    """Return the tree of the valid intents below `root`; `ordain validate` is who tells of the others.

    A folder without any is where a repository begins: an empty tree. Raises Stalled.
    """
    _, state = work_tree(root).states()
    return state.tree
