"""What is known of remotes, in memory, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from reconciler.ports.remotes import RemoteStatus


class MemoryRemotes:
    """The RemoteLedger port without a database; lives as long as the instance."""

    def __init__(self) -> None:
        self.pushed: set[UUID] = set()
        self._known: dict[str, RemoteStatus] = {}

    async def remotes(self) -> Mapping[str, RemoteStatus]:
        return dict(self._known)

    async def tell(self, name: str, address: str, reason: str) -> None:
        before = self._known.get(name)
        if before is None or (before.address, before.reason) != (address, reason):
            commit = before.commit if before and before.address == address else ""
            self._known[name] = RemoteStatus(address, commit, reason, datetime.now(UTC))

    async def reached(self, name: str, address: str, commit: str, requests: Sequence[UUID] = ()) -> None:
        before = self._known.get(name)
        at = before.at if before and not before.reason else datetime.now(UTC)
        self._known[name] = RemoteStatus(address, commit, "", at)
        self.pushed |= set(requests)

    async def forget(self, name: str) -> None:
        self._known.pop(name, None)

    def reason(self, name: str) -> str:
        """Return why nothing goes there."""
        return self._known[name].reason if name in self._known else ""
