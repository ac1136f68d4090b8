"""Port: object storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object."""

    key: str
    size: int


class Objects(Protocol):
    """S3 buckets. Keys are given relative to a bucket; writes are durable when they return.

    Buckets: `artifacts` (outputs and logs of runs), `models` (model bytes, create-only, by digest),
    `records` (terminal records; the workers' own).
    """

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store `body`, replacing what was there."""
        ...

    async def create(self, bucket: str, key: str, body: bytes) -> bool:
        """Store `body` unless the key exists; return whether it was stored."""
        ...

    async def get(self, bucket: str, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""
        ...

    async def list(self, bucket: str, prefix: str) -> tuple[ObjectInfo, ...]:
        """Return all objects whose key starts with `prefix`, by key."""
        ...
