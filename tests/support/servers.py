"""Throw-away servers that outlive one event loop: started and ended by plain calls, killed when a test wants it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from dataclasses import dataclass

from reconciler.process_identity import end_group, identity_of
from reconciler.services.part import Part, Step

READY_WITHIN = 180.0


@dataclass
class Server:
    """One part of the platform, run for tests."""

    part: Part
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        asyncio.run(_step(self.part.prepare))
        with self.part.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.part.argv,
                cwd=self.part.cwd,
                env={**os.environ, **self.part.env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_WITHIN
        while not asyncio.run(self._ready()):
            assert time.monotonic() < deadline, self._said()
            time.sleep(0.02)
        asyncio.run(_step(self.part.once_ready))

    def kill(self) -> None:
        """End it with all its processes, at once."""
        if self._process is not None:
            identity = identity_of(self._process.pid)
            if identity is not None:
                asyncio.run(end_group(identity, 0))
            self._process.wait()
            self._process = None

    async def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._said()
        identity = identity_of(self._process.pid)
        try:
            return identity is not None and await self.part.probe(identity)
        except OSError:
            return False

    def _said(self) -> str:
        return self.part.log.read_text(errors="replace")[-2000:]


async def _step(step: Step | None) -> None:
    if step is not None:
        await step()
