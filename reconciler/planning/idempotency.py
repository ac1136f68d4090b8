"""Idempotency keys: what lets a client send a write again without knowing what became of the first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

KEPT = timedelta(days=7)
"""How long at least a key is known."""


@dataclass(frozen=True)
class RequestKey:
    """A key and what was asked under it, each as a hash in hex: commits name them, and readers of git learn neither."""

    tenant: str
    hash: str
    """Of tenant, person and key: nobody meets another's key."""
    body: str
    """Of all that was asked; another one under the same key is a mistake of the client's."""

    @classmethod
    def of(cls, tenant: str, user: str, key: str, asked: Iterable[bytes]) -> Self:
        """Return the key that `user` gave in a tenant; `asked` are the parts of the request that decide its effect."""
        return cls(tenant, _hash((tenant.encode(), user.encode(), key.encode())), _hash(asked))

    @classmethod
    def from_trailer(cls, text: str) -> Self | None:
        """Read the value of a commit's trailer; None for anything else."""
        match text.split():
            case [hashed, body, tenant]:
                return cls(tenant, hashed, body)
        return None

    def to_trailer(self) -> str:
        """Return the value of a commit's trailer: a ledger that is made anew knows the key from it."""
        return f"{self.hash} {self.body} {self.tenant}"


def _hash(parts: Iterable[bytes]) -> str:
    """Hash parts such that no two lists of them are alike; 128 bits, as commits carry two."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(b"%d:" % len(part) + part)
    return whole.hexdigest()[:32]
