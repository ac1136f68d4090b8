"""Looking at a branch here and on a remote, as the decisions about it want it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reconciler.planning.remote import Sight, Standing
from reconciler.ports.remote import Remote
from reconciler.ports.repository import Repository


@dataclass(frozen=True)
class RemoteBranch:
    """One branch of the repository here, and the same branch on a remote. All calls block."""

    repository: Repository
    remote: Remote
    ref: str

    def look(self, known: str | None, *, fetch: bool) -> Sight:
        """Read the branch here and there; with `fetch`, bring what is there and not here.

        Without it, a commit that is not here is apart from everything. Raises Waiting.
        """
        there = self.remote.heads([self.ref]).get(self.ref)
        if fetch and there is not None and not self.repository.has(there):
            self.remote.fetch(self.ref, self._fetched)
            there = self.repository.head(self._fetched)
        here = self.repository.head(self.ref)
        return Sight(self.ref, here, there, known, self._standing(there, here), self._standing(there, known))

    def _standing(self, there: str | None, ours: str | None) -> Standing:
        if there == ours:
            return Standing.SAME
        if there is None or ours is None:
            return Standing.BEHIND if there is None else Standing.AHEAD
        if self.repository.descends(there, ours):
            return Standing.AHEAD
        return Standing.BEHIND if self.repository.descends(ours, there) else Standing.APART

    @property
    def _fetched(self) -> str:
        return f"refs/ordain/fetched/{place_of(self.remote.address)}"


def place_of(address: str) -> str:
    """Return a word for an address that can stand in the name of a ref."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]
