"""Object storage in memory, for tests."""

from __future__ import annotations

from reconciler.ports.objects import ObjectInfo


class MemoryObjects:
    """The Objects port without a server; lives as long as the instance."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str], bytes] = {}

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        self._bodies[bucket, key] = body

    async def create(self, bucket: str, key: str, body: bytes) -> bool:
        if (bucket, key) in self._bodies:
            return False
        self._bodies[bucket, key] = body
        return True

    async def get(self, bucket: str, key: str) -> bytes | None:
        return self._bodies.get((bucket, key))

    async def list(self, bucket: str, prefix: str) -> tuple[ObjectInfo, ...]:
        return tuple(
            ObjectInfo(key, len(body))
            for (home, key), body in sorted(self._bodies.items())
            if home == bucket and key.startswith(prefix)
        )
