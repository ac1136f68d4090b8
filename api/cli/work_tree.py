"""The intents in a folder of a person's machine, committed or not."""

from __future__ import annotations

from pathlib import Path

from intents.identity import identify
from intents.problems import InvalidIntent
from intents.reading import read
from intents.tree import AnyDocument, Tree

FOLDERS = ("platform", "tenants", "templates")


def tree_in(root: Path) -> Tree:
    """Return the tree of the valid intents below `root`; `ordain validate` is who tells of the others."""
    documents: dict[str, AnyDocument] = {}
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.yaml")):
            path = file.relative_to(root).as_posix()
            if identify(path) is not None:
                try:
                    documents[path] = read(path, file.read_bytes())
                except InvalidIntent:
                    continue
    return Tree.empty().advance(documents)
