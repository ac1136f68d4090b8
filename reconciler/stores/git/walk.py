"""Changed paths between two trees, skipping what is identical."""

from __future__ import annotations

from collections.abc import Iterator

import pygit2


def changed_blobs(
    old: pygit2.Tree | None, new: pygit2.Tree | None, prefix: str = ""
) -> Iterator[tuple[str, str | None]]:
    """Yield (path, new blob id, None where removed) of every file that differs; equal subtrees are never read."""
    before = {} if old is None else {entry.name: entry for entry in old}
    after = {} if new is None else {entry.name: entry for entry in new}
    for name in sorted(before.keys() | after.keys(), key=str):
        was, now = before.get(name), after.get(name)
        if was is None or now is None or was.id != now.id or was.filemode != now.filemode:
            yield from _changed_entry(was, now, f"{prefix}{name}")


def _changed_entry(was: pygit2.Object | None, now: pygit2.Object | None, path: str) -> Iterator[tuple[str, str | None]]:
    old_tree = was if isinstance(was, pygit2.Tree) else None
    new_tree = now if isinstance(now, pygit2.Tree) else None
    if isinstance(now, pygit2.Blob):
        yield path, str(now.id)
    elif isinstance(was, pygit2.Blob):
        yield path, None
    if old_tree is not None or new_tree is not None:
        yield from changed_blobs(old_tree, new_tree, f"{path}/")
