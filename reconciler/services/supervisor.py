"""Keeps the parts of one platform alive: starts them in order, watches them, starts them again, ends them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.process_identity import end_group, identity_of
from reconciler.services.logs import bound_log, last_lines, open_log
from reconciler.services.record import PartRecord, PartState, write_records
from reconciler.services.sweep import MARKER, end_children

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.layout import Layout
    from reconciler.services.part import Part

_START_SECONDS = 60.0
_START_POLL_SECONDS = 0.05
_WATCH_SECONDS = 2.0
# Probes that failed in a row: from the first number on a part is shown as unhealthy, at the second it is
# started anew. A busy machine may miss a few; half a minute of silence is no load.
_UNHEALTHY_AFTER = 3
_HUNG_AFTER = 15
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 15.0
_STABLE_SECONDS = 30.0


@dataclass(frozen=True)
class Notice:
    """One change in the life of a part, for people."""

    part: str
    state: PartState
    text: str


class Supervisor:
    """The parts of one root. The caller holds the root's lock and has ended what an earlier one left."""

    def __init__(self, layout: Layout, parts: Sequence[Part], on_change: Callable[[Notice], None]) -> None:
        self._layout = layout
        self._parts = {part.name: part for part in parts}
        self._on_change = on_change
        self._records = {part.name: PartRecord.of(part) for part in parts}
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep every part alive until `stop`; then end them all, those that need others first."""
        keepers = [asyncio.create_task(self._keep(part), name=part.name) for part in self._parts.values()]
        stopping = asyncio.create_task(_event(stop))
        try:
            # A keeper never ends by itself: one that does has a fault, which ends the platform and is shown.
            await asyncio.wait([stopping, *keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel([stopping, *keepers])
            await self._end_all()
        for keeper in keepers:
            if not keeper.cancelled():
                keeper.result()

    async def all_ready(self) -> None:
        """Return once every part was ready at least once and none has died since."""
        for event in self._ready.values():
            await event.wait()

    async def _keep(self, part: Part) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            for name in part.after:
                await self._ready[name].wait()
            started = time.monotonic()
            reason = await self._one_life(part)
            self._ready[part.name].clear()
            if time.monotonic() - started > _STABLE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            self._restarts(part, f"{reason}; starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _one_life(self, part: Part) -> str:
        """Start the part and see it to its end; return why it ended."""
        self._note(part, PartState.STARTING, "starting")
        try:
            if part.prepare is not None:
                await part.prepare()
            process, identity = self._start(part)
        except Exception as error:  # noqa: BLE001 - whatever keeps a part from starting, it is tried again
            return f"could not be started: {error}"
        return await self._until_end(part, process, identity)

    async def _until_end(self, part: Part, process: subprocess.Popen[bytes], identity: ProcessIdentity) -> str:
        ended = asyncio.create_task(_ended(process.pid))
        watch = asyncio.create_task(self._watch(part, identity))
        try:
            await asyncio.wait([ended, watch], return_when=asyncio.FIRST_COMPLETED)
            reason = watch.result() if watch.done() else ""
        finally:
            await _cancel([ended, watch])
        await end_group(identity, part.grace_seconds, part.stop_signal)
        status = process.wait()
        return reason or f"ended unasked ({_in_words(status)}){self._last_words(part)}"

    async def _watch(self, part: Part, identity: ProcessIdentity) -> str:
        """Bring the part to readiness and look after it; return why it must be ended."""
        if not await _becomes_ready(part, identity):
            return f"was not ready after {_START_SECONDS:.0f} s{self._last_words(part)}"
        try:
            if part.once_ready is not None:
                await part.once_ready()
        except Exception as error:  # noqa: BLE001 - the step is another layer's; it is tried again with the part
            return f"was ready, but the step after it failed: {error}"
        self._note(part, PartState.READY, f"ready at {part.address}" if part.address else "ready")
        self._ready[part.name].set()
        await self._watch_health(part, identity)
        return f"did not answer for {_HUNG_AFTER * _WATCH_SECONDS:.0f} s"

    async def _watch_health(self, part: Part, identity: ProcessIdentity) -> None:
        """Return once the part failed to answer for too long."""
        failures = 0
        while failures < _HUNG_AFTER:
            await asyncio.sleep(_WATCH_SECONDS)
            bound_log(part.log)
            if await _answers(part, identity):
                if failures >= _UNHEALTHY_AFTER:
                    self._note(part, PartState.READY, "answers again")
                failures = 0
                continue
            failures += 1
            if failures == _UNHEALTHY_AFTER:
                self._note(part, PartState.UNHEALTHY, "does not answer")

    def _start(self, part: Part) -> tuple[subprocess.Popen[bytes], ProcessIdentity]:
        """Start the process, noted down before and after; no await in between may be cancelled."""
        _remove_litter(part)
        marker = uuid.uuid4().hex
        self._records[part.name] = replace(self._records[part.name], marker=marker, process=None)
        self._write()
        log = open_log(part.log)
        try:
            process = subprocess.Popen(
                part.argv,
                cwd=part.cwd,
                env={**os.environ, **part.env, MARKER: marker},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        # Our own child: even if it ended at once, its entry stands until we wait for it.
        identity = identity_of(process.pid)
        if identity is None:
            raise OSError(f"ended at once ({_in_words(process.wait())}){self._last_words(part)}")
        self._processes[part.name] = process
        self._records[part.name] = replace(self._records[part.name], process=identity)
        self._write()
        return process, identity

    def _restarts(self, part: Part, text: str) -> None:
        record = self._records[part.name]
        self._records[part.name] = replace(record, process=None, marker="", restarts=record.restarts + 1)
        self._note(part, PartState.RESTARTING, text)

    def _note(self, part: Part, state: PartState, text: str) -> None:
        self._records[part.name] = self._records[part.name].moved(state, text)
        self._write()
        self._on_change(Notice(part.name, state, text))

    def _write(self) -> None:
        write_records(self._layout, self._records)

    def _last_words(self, part: Part) -> str:
        lines = last_lines(part.log, 3)
        return f"; the end of {part.log}: " + " | ".join(lines) if lines else ""

    async def _end_all(self) -> None:
        """End the parts in waves, those nobody needs first; runs and servers after their reconciler."""
        left = dict(self._parts)
        while left:
            needed = {name for part in left.values() for name in part.after}
            wave = [part for name, part in left.items() if name not in needed]
            await asyncio.gather(*(self._end(part) for part in wave))
            left = {name: part for name, part in left.items() if name in needed}
            await end_children(self._layout)

    async def _end(self, part: Part) -> None:
        record = self._records[part.name]
        if record.process is not None:
            await end_group(record.process, part.grace_seconds, part.stop_signal)
            self._processes[part.name].wait()
        _remove_litter(part)
        self._records[part.name] = replace(record, process=None, marker="")
        self._note(part, PartState.STOPPED, "stopped")


async def _event(event: asyncio.Event) -> None:
    await event.wait()


async def _becomes_ready(part: Part, identity: ProcessIdentity) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while not await _answers(part, identity):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_START_POLL_SECONDS)
    return True


async def _answers(part: Part, identity: ProcessIdentity) -> bool:
    try:
        return await part.probe(identity)
    except (OSError, asyncio.IncompleteReadError, ValueError):  # TimeoutError is an OSError
        return False


async def _ended(pid: int) -> None:
    """Return when the process has ended; it is not waited for."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _cancel(tasks: Sequence[asyncio.Task[None] | asyncio.Task[str]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _remove_litter(part: Part) -> None:
    for file in part.litter:
        file.unlink(missing_ok=True)


def _in_words(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
