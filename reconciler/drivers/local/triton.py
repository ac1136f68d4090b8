"""Model servers on one machine: one Triton a served model version, each a session of its own with a folder.

Whoever runs this finds every server again by its folder. Nothing that matters is in memory only, but the proof
of readiness, which each process makes for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from reconciler.drivers.local import triton_process as processes
from reconciler.drivers.local.triton_server import Pace, ServerTools, TritonServer
from reconciler.planning.observations import ServerObservation, ServerSpec
from reconciler.ports.objects import Objects

# How long one observation waits for proofs under way, in seconds; they go on behind it. A proof takes 10-30 ms.
_OBSERVE_WITHIN = 0.25
# A claim takes milliseconds from its first file to its name: what is older, in seconds, was cut off.
_LITTER_AGE = 60.0


class LocalModelServers:
    """Implements `ModelServers` with Triton from its wheel.

    `observe` shows every claimed server and keeps it going: one that is not alive is started again behind it, with
    back-off, and shown as STARTING with the reason; FAILED where a person must act, and after three failures in a
    row, though it is still tried. One process at a time works on a server; others see it and prove it themselves.
    """

    def __init__(self, proc_dir: Path, triton_python: Path, objects: Objects, pace: Pace | None = None) -> None:
        self._proc_dir = proc_dir.resolve()
        self._tools = ServerTools(objects, triton_python, pace or Pace())
        self._servers: dict[str, TritonServer] = {}
        processes.sweep(self._proc_dir, time.time() - _LITTER_AGE)

    async def observe(self) -> Sequence[ServerObservation]:
        """Return every server there is, whoever started it, and move on what is not ready."""
        await self._adopt()
        steps = [step for server in self._servers.values() if (step := server.kick()) is not None]
        if steps:
            await asyncio.wait(steps, timeout=_OBSERVE_WITHIN)
        return tuple(server.seen() for _, server in sorted(self._servers.items()))

    async def start(self, spec: ServerSpec) -> None:
        """Claim `spec` and begin to serve it; a second call for a living server changes nothing."""
        processes.claim(self._proc_dir, spec)
        await self._adopt()
        if self._servers[spec.key].spec != spec:  # the same bytes, from another place or by another name
            await self.stop(spec.key)
            processes.claim(self._proc_dir, spec)
            await self._adopt()
        self._servers[spec.key].kick()

    async def stop(self, key: str) -> None:
        """End one server and all its processes; unknown keys are no error."""
        await self._adopt()
        if key in self._servers:
            await self._servers[key].end()
            del self._servers[key]

    async def close(self) -> None:
        """Let go without stopping anything: the servers go on, and the next process finds them."""
        for server in self._servers.values():
            await server.pause()
        await self._tools.client.aclose()

    async def _adopt(self) -> None:
        """Know exactly the servers that are claimed on disk."""
        claims = {spec.key: (folder, spec) for folder, spec in processes.claims(self._proc_dir).items()}
        for key in self._servers.keys() - claims.keys():
            await self._servers.pop(key).pause()
        for key, (folder, spec) in claims.items():
            if key not in self._servers:
                self._servers[key] = TritonServer(self._tools, folder, spec)
