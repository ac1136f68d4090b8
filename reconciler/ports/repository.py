"""Port: one git repository that holds intents or rendered manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.planning.commit_messages import PUSHED_BY

MAIN = "refs/heads/main"


@dataclass(frozen=True)
class Signature:
    """Who wrote or committed."""

    name: str
    email: str


@dataclass(frozen=True)
class NewCommit:
    """A commit to make: `files` maps paths to new bytes, or None to remove the path."""

    author: Signature
    committer: Signature
    at: datetime
    message: str
    files: Mapping[str, bytes | None]
    onto: str | None = None
    """The commit it stands on, where that is not the one before it in its chain."""
    authored_at: datetime | None = None
    """When it was written, where that was before."""


@dataclass(frozen=True)
class RefMove:
    """One ref to move, from exactly `old` to `new`; None is no such ref."""

    ref: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits; `blob` is None where it was removed."""

    path: str
    blob: str | None


@dataclass(frozen=True)
class CommitInfo:
    """One commit as it stands."""

    id: str
    parent: str | None
    at: datetime
    author: Signature
    subject: str
    trailers: Mapping[str, tuple[str, ...]]

    @property
    def asked_by(self) -> str:
        """Who asked for the commit, as authenticated."""
        return next(iter(self.trailers.get(PUSHED_BY, ())), self.author.name)


class Repository(Protocol):
    """A bare repository. All calls block; whoever is in an event loop calls them in a thread.

    `append` makes commits durable without moving any branch; `move` is the compare-and-swap that
    makes them history. Between the two nothing is visible.
    """

    def head(self, ref: str = MAIN) -> str | None:
        """Return the commit `ref` names, or None where there is no such ref."""
        ...

    def refs(self, folder: str) -> Mapping[str, str]:
        """Return the commits of all refs below `folder`, such as `refs/heads/change`, by the rest of their names."""
        ...

    def files(self, commit: str) -> Iterator[Change]:
        """Yield every path of a commit."""
        ...

    def changes(self, old: str | None, new: str) -> Sequence[Change]:
        """Return every path that differs, in time proportional to what differs."""
        ...

    def blob(self, blob: str) -> bytes:
        """Return the bytes of a blob; raises KeyError where there is none."""
        ...

    def read(self, commit: str, path: str) -> bytes | None:
        """Return the bytes at a path of a commit; None where no file is, or a link."""
        ...

    def info(self, commit: str) -> CommitInfo:
        """Return one commit."""
        ...

    def between(self, old: str | None, new: str) -> Sequence[CommitInfo]:
        """Return the commits after `old` up to `new`, oldest first, each with the one before it as its parent.

        The line is that of the first parents, but for merges whose first parent leads away from `old`. Raises
        Stalled with `history-rewritten` when `old` is not among the ancestors of `new`.
        """
        ...

    def merged(self, commit: CommitInfo) -> Sequence[CommitInfo]:
        """Return the commits that a merge brought in beside its line, oldest first; none where it is no merge."""
        ...

    def descends(self, commit: str, ancestor: str) -> bool:
        """Say whether `commit` is `ancestor` or descends from it; what is not here descends from nothing."""
        ...

    def fork(self, one: str, other: str) -> str | None:
        """Return the newest commit that both descend from; None where there is none."""
        ...

    def has(self, commit: str) -> bool:
        """Say whether the commit is here."""
        ...

    def append(self, name: str, base: str | None, commits: Sequence[NewCommit]) -> Sequence[str]:
        """Write a chain of commits on `base` in one durable pack; `name` keeps writers' staging apart."""
        ...

    def move(self, ref: str, old: str | None, new: str) -> None:
        """Move `ref` from `old` to `new`, durably; raises Conflict when it is not at `old`."""
        ...

    def move_all(self, moves: Sequence[RefMove]) -> None:
        """Move all of the refs or none, durably; raises Conflict when one is not at its `old`."""
        ...

    def check_room(self) -> None:
        """Raise Unwritable with the reason where nothing can be written now: a full disk, a read-only folder."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold the file lock `name` of this repository; raises Conflict when another process holds it."""
        ...
