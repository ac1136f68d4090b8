"""One Triton server, as one process of ours looks after it: start, prove, start again."""

from __future__ import annotations

import asyncio
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from reconciler.drivers.local import triton_process as processes
from reconciler.drivers.local.triton_install import TritonInstall, find_triton, make_backends
from reconciler.drivers.local.triton_model import ensure_model
from reconciler.drivers.local.triton_probe import NotReadyError, probe
from reconciler.planning.observations import ServerObservation, ServerSpec, ServerState
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.objects import Objects

# After so many starts that failed one after another a person should look; starting goes on at the longest wait.
_FAILED_AFTER = 3


@dataclass(frozen=True)
class Pace:
    """How often and how long, in seconds."""

    ready_within: float = 60.0
    """From start to the first answered inference: a small ONNX model takes 0.5 s on a free core."""
    poll: float = 0.05
    probe_timeout: float = 5.0
    prove_again: float = 5.0
    """Readiness lies after a stub died, so a ready server is proved again this often."""
    misses: int = 3
    """So many failed proofs in a row and a server that was ready is started anew; a dead stub is certain at once."""
    first_wait: float = 1.0
    longest_wait: float = 60.0
    stable_after: float = 60.0
    """A server that lasted this long starts its back-off from the beginning."""

    def wait_after(self, failures: int) -> float:
        """Return the back-off after so many failures in a row: none after the first, then doubling."""
        return 0.0 if failures <= 1 else min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 2, 16))


class ServerTools:
    """What every server of one `LocalModelServers` uses."""

    def __init__(self, objects: Objects, triton_python: Path, pace: Pace) -> None:
        self.objects = objects
        self.pace = pace
        self.client = httpx.AsyncClient(trust_env=False)
        self._python = triton_python
        self._install: TritonInstall | None = None

    async def install(self) -> TritonInstall:
        """Return Triton's parts; looked for again each time until they are complete."""
        if self._install is None:
            self._install = await find_triton(self._python)
        return self._install


class TritonServer:
    """What one process knows of one server: the proof of readiness, failures in a row, the step under way."""

    def __init__(self, tools: ServerTools, folder: Path, spec: ServerSpec) -> None:
        self.spec = spec
        self._tools = tools
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._proven: processes.Running | None = None
        self._since = self._due = 0.0
        self._misses = self._failures = 0
        self._reason = "claimed"
        self._needs_person = False

    def kick(self) -> asyncio.Task[None] | None:
        """Begin the next step unless one is under way or none is due; return the step under way."""
        if self._proven is not None and not self._proven.alive:
            self._failed(f"{self._how_it_ended(self._proven)}; starting it again")
        if self._task is None or self._task.done():
            if time.monotonic() < self._due:
                return None
            self._task = asyncio.create_task(self._step(), name=f"serve {self.spec.key}")
        return self._task

    def seen(self) -> ServerObservation:
        """Return the server as it is known now."""
        server = processes.running(self._folder)
        address = server.address if server is not None and server.alive else ""
        if address and self._proven == server:
            return ServerObservation(self.spec.key, ServerState.READY, address)
        failed = self._needs_person or self._failures >= _FAILED_AFTER
        state = ServerState.FAILED if failed else ServerState.STARTING
        return ServerObservation(self.spec.key, state, address, self._reason)

    async def pause(self) -> None:
        """Give up the step under way; the processes stay."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def end(self) -> None:
        """End all its processes and drop its folder. Raises `Waiting` while another process works on it."""
        await self.pause()
        with processes.locked(self._folder):
            await processes.end(self._folder)
        self._reap()

    async def _step(self) -> None:
        """Bring the server to a proven inference, or note why not and when to try again."""
        try:
            server = processes.running(self._folder)
            if server is None or not server.alive:
                server = await self._start()
            await self._prove(server)
        except Stalled as error:
            self._failed(str(error), needs_person=True)
        except Waiting as error:
            self._reason = str(error)
            self._due = time.monotonic() + error.after
        except NotReadyError as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was: shown, and tried again with back-off
            self._failed(f"{type(error).__name__}: {error}")

    async def _start(self) -> processes.Running:
        with processes.locked(self._folder):
            found = processes.running(self._folder)
            if found is not None and found.alive:  # another process was faster
                return found
            install = await self._tools.install()
            await ensure_model(self._tools.objects, self.spec, self._folder / "model")
            self._needs_person = False
            make_backends(install, self._folder / "backends")
            server, self._child = await processes.launch(install, self._folder, self.spec.model)
        self._since = time.monotonic()
        return server

    async def _prove(self, server: processes.Running) -> None:
        """Return once a real inference was answered, or, for a server that was ready, after one failed proof."""
        deadline = time.monotonic() + self._tools.pace.ready_within
        while True:
            try:
                await self._infer(server)
            except NotReadyError as error:
                if self._proven == server:
                    return await self._missed(error)
                await self._unless_hopeless(server, error, deadline)
            else:
                return self._proved(server)

    async def _infer(self, server: processes.Running) -> None:
        if processes.stub_died(server):
            raise StubDiedError("a stub process of the model died, and Triton still calls the model ready")
        await probe(self._tools.client, server.address, self.spec.model, self._tools.pace.probe_timeout)

    def _proved(self, server: processes.Running) -> None:
        now = time.monotonic()
        processes.bound_log(self._folder)
        if self._proven != server:
            self._since = now
        elif now - self._since > self._tools.pace.stable_after:
            self._failures = 0
        self._proven, self._misses, self._reason = server, 0, ""
        self._due = now + self._tools.pace.prove_again

    async def _missed(self, error: NotReadyError) -> None:
        """Count a failed proof of a ready server; certain or repeated, the server is ended to be started anew."""
        self._misses += 1
        self._due = time.monotonic() + self._tools.pace.first_wait
        if isinstance(error, StubDiedError) or self._misses >= self._tools.pace.misses:
            await self._end_processes()
            raise NotReadyError(f"{error}; starting it again")

    async def _unless_hopeless(self, server: processes.Running, error: NotReadyError, deadline: float) -> None:
        """Wait for another try; raise where the server ended, or had its time."""
        self._reason = f"starting: {error}"
        if not server.alive:
            raise NotReadyError(f"{self._how_it_ended(server)} before it answered: {processes.log_tail(self._folder)}")
        if time.monotonic() > deadline:
            await self._end_processes()
            raise NotReadyError(f"no inference within {self._tools.pace.ready_within:g} s of its start: {error}")
        await asyncio.sleep(self._tools.pace.poll)

    async def _end_processes(self) -> None:
        with processes.locked(self._folder):
            await processes.end_processes(self._folder)
        self._proven = None

    def _failed(self, reason: str, *, needs_person: bool = False) -> None:
        self._proven, self._misses = None, 0
        self._failures += 1
        self._reason, self._needs_person = reason, needs_person
        self._due = time.monotonic() + self._tools.pace.wait_after(self._failures)

    def _how_it_ended(self, server: processes.Running) -> str:
        how = self._reap() if self._child is not None and self._child.pid == server.identity.pid else ""
        return f"Triton (pid {server.identity.pid}) ended{f' with {how}' if how else ''}"

    def _reap(self) -> str:
        """Collect our ended child, so that it does not stay a zombie; return how it ended."""
        return processes.reap(self._child) if self._child is not None else ""


class StubDiedError(NotReadyError):
    """Certain at once: Triton does not start a stub again."""
