"""The commits of a push, read from the folder it came into; everything about them may be hostile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from reconciler.planning.proposing import MOST_PATHS
from reconciler.planning.pushes import MOST_BYTES, MOST_COMMITS, MOST_FILE_BYTES, PushedCommit, PushedFile
from reconciler.planning.writing import Author
from reconciler.ports.git_service import TooMuch

MOST_OBJECTS = 20_000
"""In the pack; a hundred commits of a thousand paths need fewer."""
MOST_TREES = 20_000
"""That are read: a small pack can hold a tree that has the same tree in itself again and again."""
MOST_DEPTH = 10
"""Folders of a path; no intent lies deeper than 7."""
_COUNT_AT = 8
"""Where in a pack the number of its objects stands, four bytes; gitformat-pack(5)."""

_LAST_SECOND = 253_402_300_799
"""Of the year 9999; git counts further than datetime."""

Trees = Sequence[pygit2.Tree | None]


class Pushed:
    """The PushedObjects port on a repository that borrows the platform's objects."""

    def __init__(self, folder: Path) -> None:
        """Look at what came into `folder`."""
        self._folder = folder

    async def commits(self, tip: str, bases: Sequence[str]) -> Sequence[PushedCommit]:
        """Return the commits of `tip` that none of `bases` holds, every parent before its children.

        Raises TooMuch beyond the bounds of a push, and KeyError where `tip` is no commit.
        """
        _look_at_size(self._folder)
        names = await _revisions(self._folder, tip, bases)
        if len(names) > MOST_COMMITS:
            raise TooMuch(f"more than {MOST_COMMITS} commits at once: push some of them first")
        reading = _Reading(pygit2.Repository(str(self._folder)))
        return await asyncio.to_thread(lambda: [reading.commit(name) for name in names])


def _look_at_size(folder: Path) -> None:
    found = sum(_objects_in(pack) for pack in (folder / "objects" / "pack").glob("*.pack"))
    if found > MOST_OBJECTS:
        raise TooMuch(f"{found} objects at once, at most {MOST_OBJECTS} fit")


async def _revisions(folder: Path, tip: str, bases: Sequence[str]) -> Sequence[str]:
    """Return ids, oldest first, at most one too many. By a process of its own: a long walk stops nobody else."""
    bounds = ("--topo-order", f"--max-count={MOST_COMMITS + 1}")
    command = ("git", "rev-list", *bounds, f"{tip}^{{commit}}", *(f"^{base}" for base in bases))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        found, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode != 0:
        raise KeyError(tip)
    return found.decode().split()[::-1]


@dataclass
class _Reading:
    """The commits of one push, read one after the other within bounds that hold for all of them."""

    _objects: pygit2.Repository
    _bytes: int = 0
    _paths: int = 0
    _trees: int = 0

    def commit(self, name: str) -> PushedCommit:
        """Return one commit with what differs from its parents. Raises TooMuch."""
        commit = self._objects[name].peel(pygit2.Commit)
        parents = [parent.tree for parent in commit.parents]
        return PushedCommit(
            id=str(commit.id),
            parents=tuple(map(str, commit.parent_ids)),
            author=_author(commit.author),
            message=_message(commit),
            files=tuple(self._files(parents, commit.tree, "")),
        )

    def _files(self, parents: Trees, tree: pygit2.Tree | None, folder: str) -> Iterator[PushedFile]:
        """Yield what is not the same as in any parent; where one has all of a folder, nothing of it is read."""
        self._count_tree(folder)
        before, after = [_entries(each) for each in parents], _entries(tree)
        for name in sorted(after.keys() | (set.intersection(*map(set, before)) if before else set())):
            was, now = [each.get(name) for each in before], after.get(name)
            if not any(_same(each, now) for each in was):
                yield from self._entry(was, now, f"{folder}{name.decode(errors='replace')}")

    def _entry(self, was: Sequence[pygit2.Object | None], now: pygit2.Object | None, path: str) -> Iterator[PushedFile]:
        old_files = [each for each in was if not isinstance(each, pygit2.Tree)]
        old_trees = [each if isinstance(each, pygit2.Tree) else None for each in was]
        if now is not None and not isinstance(now, pygit2.Tree):
            yield self._file(old_files, now, path)
        elif any(each is not None for each in old_files):
            yield self._file(old_files, None, path)
        if isinstance(now, pygit2.Tree) or any(each is not None for each in old_trees):
            yield from self._files(old_trees, now if isinstance(now, pygit2.Tree) else None, f"{path}/")

    def _file(self, was: Sequence[pygit2.Object | None], now: pygit2.Object | None, path: str) -> PushedFile:
        self._paths += 1
        if self._paths > MOST_PATHS:
            raise TooMuch(f"more than {MOST_PATHS} paths are changed at once")
        before = next((str(each.id) for each in was if each is not None), None)
        if now is None:
            return PushedFile(path, before, None)
        size, body = self._read(now)
        return PushedFile(path, before, str(now.id), int(now.filemode), size, body)

    def _read(self, entry: pygit2.Object) -> tuple[int, bytes]:
        """Return size and bytes of a file; no bytes of a large one, nor of what is no file."""
        if entry.type_str != "blob":
            return 0, b""
        _, size = self._objects.odb.read_header(entry.id)
        if size > MOST_FILE_BYTES:
            return size, b""
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise TooMuch(f"the files hold more than {MOST_BYTES} bytes together")
        return size, self._objects[entry.id].peel(pygit2.Blob).data

    def _count_tree(self, folder: str) -> None:
        self._trees += 1
        if self._trees > MOST_TREES or folder.count("/") > MOST_DEPTH:
            raise TooMuch(f"more folders than any tree of intents has, in {folder[:100]}")


def _objects_in(pack: Path) -> int:
    with pack.open("rb") as file:
        file.seek(_COUNT_AT)
        return int.from_bytes(file.read(4), "big")


def _entries(tree: pygit2.Tree | None) -> dict[bytes, pygit2.Object]:
    return {entry.raw_name or b"": entry for entry in tree or ()}


def _same(one: pygit2.Object | None, other: pygit2.Object | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.id == other.id and one.filemode == other.filemode


def _author(signature: pygit2.Signature) -> Author:
    name, email = (raw.decode(errors="replace") for raw in (signature.raw_name, signature.raw_email))
    return Author(name, email, datetime.fromtimestamp(min(max(signature.time, 0), _LAST_SECOND), UTC))


def _message(commit: pygit2.Commit) -> str:
    try:
        return commit.raw_message.decode(commit.message_encoding or "utf-8", "replace")
    except LookupError:
        return commit.raw_message.decode(errors="replace")
