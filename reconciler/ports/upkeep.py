"""Port: the upkeep of one git repository."""

from __future__ import annotations

from typing import Protocol

from reconciler.planning.upkeep import Chore, StoreState


class Upkeep(Protocol):
    """Keeps a repository quick, beside those who read and write it: no one is kept waiting.

    Whoever is ended in the middle leaves the repository whole; what it leaves besides is swept later.
    """

    async def state(self) -> StoreState:
        """Count what there is."""
        ...

    async def do(self, chore: Chore) -> None:
        """Do one thing at the lowest priority; raises Conflict while another does one, Waiting where git fails."""
        ...
