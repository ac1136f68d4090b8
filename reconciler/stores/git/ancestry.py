"""Main's first-parent history in memory, for clients to find what they share with it."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import pygit2

_ID_BYTES = 20
NEXT = 1.1
"""How much farther back each commit that is told lies: a client sends at most a tenth too much."""


class Ancestry:
    """The ids of main's commits, 20 bytes each, read once and then only what is new; threads may share it."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._ids = bytearray()
        self._lock = Lock()

    def sample(self, repository: pygit2.Repository, head: str) -> Sequence[str]:
        """Return `head` and ancestors of it, the newest all, then ever fewer, the first always."""
        with self._lock:
            self._advance(repository, head)
            count = len(self._ids) // _ID_BYTES
            return [self._id(count - 1 - back) for back in _distances(count)]

    def _advance(self, repository: pygit2.Repository, head: str) -> None:
        """Append what `head` has beyond what is known; a history that was rewritten is read anew."""
        known = bytes(self._ids[-_ID_BYTES:])
        new: list[bytes] = []
        at = repository[head].peel(pygit2.Commit)
        while at.id.raw != known:
            new.append(at.id.raw)
            if not at.parent_ids:
                self._ids.clear()
                break
            at = repository[at.parent_ids[0]].peel(pygit2.Commit)
        self._ids += b"".join(reversed(new))

    def _id(self, index: int) -> str:
        return self._ids[index * _ID_BYTES : (index + 1) * _ID_BYTES].hex()


def _distances(count: int) -> list[int]:
    found, distance = [], 0
    while distance < count - 1:
        found.append(distance)
        distance = max(distance + 1, int(distance * NEXT))
    return [*found, count - 1]
