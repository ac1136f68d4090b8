"""Conflicts as clients see them: both versions of every path that is not what it was taken to be."""

from __future__ import annotations

from collections.abc import Iterable

from api.http.problems import ConflictView, Text
from intents.tree import Tree
from intents.writing import blob_id
from reconciler.planning.writing import ABSENT, Write, WriteAction, holds


def conflicts(tree: Tree, writes: Iterable[Write], paths: Iterable[str]) -> list[ConflictView]:
    """Return the conflicts at `paths`, by what stands there in `tree`."""
    disputed = set(paths)
    return [_conflict(tree, write) for write in writes if write.path in disputed]


def unexpected(tree: Tree, writes: Iterable[Write]) -> list[str]:
    """Return the paths at which `tree` does not hold what is expected."""
    return [write.path for write in writes if not holds(tree, write)]


def _conflict(tree: Tree, write: Write) -> ConflictView:
    here = tree.get(write.path)
    return ConflictView(
        path=write.path,
        base=None if write.expects == ABSENT else write.expects,
        yours=_text(write.content) if write.action is WriteAction.PUT else None,
        theirs=_text(here.body) if here else None,
    )


def _text(body: bytes) -> Text:
    return Text(blob=blob_id(body), content=body.decode(errors="replace"))
