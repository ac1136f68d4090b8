"""Model servers and an edge in memory, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from intents.models import FileEntry, files_digest
from reconciler.planning.observations import EdgeConfig, ServerObservation, ServerSpec, ServerState
from reconciler.ports.errors import Waiting
from reconciler.ports.objects import Objects

_FIRST_PORT = 20_000


class FakeModelServers:
    """Implements `ModelServers` without processes: a server is STARTING when first observed, then READY.

    The bytes are checked as a real one must. `started` lists what was begun, in order.
    """

    def __init__(self, objects: Objects) -> None:
        self.started: list[ServerSpec] = []
        self._objects = objects
        self._servers: dict[str, ServerObservation] = {}

    async def observe(self) -> Sequence[ServerObservation]:
        seen = tuple(self._servers.values())
        for server in seen:
            if server.state is ServerState.STARTING:
                self._servers[server.key] = replace(server, state=ServerState.READY)
        return seen

    async def start(self, spec: ServerSpec) -> None:
        if spec.key in self._servers:
            return
        self.started.append(spec)
        found = await self._digest(spec.storage_uri)
        if found == spec.digest:
            address = f"127.0.0.1:{_FIRST_PORT + len(self.started)}"
            self._servers[spec.key] = ServerObservation(spec.key, ServerState.STARTING, address)
        else:
            reason = f"the bytes at {spec.storage_uri} are {found}, wanted {spec.digest}: not served"
            self._servers[spec.key] = ServerObservation(spec.key, ServerState.FAILED, reason=reason)

    async def stop(self, key: str) -> None:
        self._servers.pop(key, None)

    def kill(self, key: str) -> None:
        """Let a server end by itself: it starts again."""
        server = self._servers[key]
        self._servers[key] = replace(server, state=ServerState.STARTING, reason="ended; starting it again")

    async def _digest(self, storage_uri: str) -> str:
        bucket, _, prefix = storage_uri.removeprefix("s3://").partition("/")
        files = []
        for info in await self._objects.list(bucket, prefix):
            body = await self._objects.get(bucket, info.key) or b""
            files.append(FileEntry(info.key.removeprefix(prefix), len(body), hashlib.sha256(body).hexdigest()))
        return files_digest(files)


class FakeEdge:
    """Implements `Edge` by remembering. `published` lists every configuration; `active` is what a test sets."""

    def __init__(self) -> None:
        self.published: list[EdgeConfig] = []
        self.active: dict[str, int] = {}
        self.reachable = True

    async def publish(self, config: EdgeConfig) -> None:
        self._answer()
        self.published.append(config)

    async def active_requests(self) -> dict[str, int]:
        self._answer()
        routes = self.published[-1].routes if self.published else ()
        return {backend.server: self.active.get(backend.server, 0) for route in routes for backend in route.backends}

    def _answer(self) -> None:
        if not self.reachable:
            raise Waiting("the edge cannot be reached")
