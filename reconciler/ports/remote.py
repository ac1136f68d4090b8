"""Port: a git repository elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from reconciler.planning.remote import Attempt


@dataclass(frozen=True)
class RefUpdate:
    """One ref to move on the remote, from exactly `old` to `new`; None is no such ref."""

    ref: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Pushed:
    """What came of a push; `said` is the remote's word on it, for people: nothing is decided by it."""

    attempt: Attempt
    said: str = ""


class Remote(Protocol):
    """A repository elsewhere, beside the one here that its objects come from and go to.

    All calls block, are bounded in time and leave no process behind; whoever is in an event loop calls them in a
    thread. They raise Waiting where the remote cannot be reached or does not answer in time. No error and no
    argument of a process shows a credential.
    """

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        ...

    def heads(self, refs: Sequence[str]) -> Mapping[str, str]:
        """Return the commits of those of `refs` that are there now."""
        ...

    def refs(self, folder: str) -> Mapping[str, str]:
        """Return the commits of all refs below `folder`, such as `refs/heads/change`, by the rest of their names."""
        ...

    def fetch(self, ref: str, into: str) -> None:
        """Bring the objects of the remote's `ref` here, checked and durable, and set the ref `into` to it."""
        ...

    def push(self, updates: Sequence[RefUpdate]) -> Pushed:
        """Move all of the refs or none, each only if it is at its `old`: the compare-and-swap of the remote.

        Never raises for what the remote says: only reading the refs again tells what became of it.
        """
        ...
