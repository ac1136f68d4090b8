"""Port: what the ledger knows of the repositories elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

HOME = "home"
"""The forge whose main is the truth."""
MIRROR = "mirror"
"""The remote that main is pushed to."""
PULLS = "pulls"
"""The pull requests of the forge that is home."""


def pull_name(change: str) -> str:
    """Return the name of a change's pull request: its address, with the commit that it shows."""
    return f"pull:{change}"


@dataclass(frozen=True)
class RemoteStatus:
    """How a remote stood when it was last looked at."""

    address: str
    commit: str
    """What it is known to have; empty where it has nothing yet. For HOME, main here says that."""
    reason: str
    """Why nothing goes there now; empty where nothing is in the way."""
    at: datetime
    """Since when that is so."""


class RemoteReads(Protocol):
    """What people are shown."""

    async def remotes(self) -> Mapping[str, RemoteStatus]:
        """Return what is known, by name."""
        ...


class RemoteLedger(RemoteReads, Protocol):
    """What the ledger knows of remotes, by name; of one with another address than before, nothing is known."""

    async def tell(self, name: str, address: str, reason: str) -> None:
        """Note why nothing goes there now; an empty reason: nothing is in the way."""
        ...

    async def reached(self, name: str, address: str, commit: str, requests: Sequence[UUID] = ()) -> None:
        """Note in one transaction what the remote has by now, and that these requests' commits are there."""
        ...

    async def forget(self, name: str) -> None:
        """Know nothing of a remote any more."""
        ...
