"""Port: the changes that are open beside main, each a branch `change/<name>`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reconciler.ports.repository import Change


@dataclass(frozen=True)
class OpenBranch:
    """A branch that is not merged: from the commit `fork`, where it left main, to the commit `tip`."""

    name: str
    fork: str
    tip: str


class Branches(Protocol):
    """A repository with branches `change/…`, here or at a remote. All calls block."""

    def open_branches(self, base: str) -> Sequence[OpenBranch]:
        """Return the branches that the commit `base` does not hold, by name.

        One that is here and at a remote counts once, as it is here; one that never met `base` does not count.
        """
        ...

    def changes(self, old: str | None, new: str) -> Sequence[Change]:
        """Return every path that differs between two commits, in time proportional to what differs."""
        ...

    def blob(self, blob: str) -> bytes:
        """Return the bytes of a blob."""
        ...
