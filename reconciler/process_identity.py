"""Who a process is, beyond its pid.

A pid is handed out again after its process ended, so nothing here trusts one alone: a process is its pid
*and* the moment the kernel started it (field 22 of /proc/<pid>/stat, proc_pid_stat(5)). Linux only.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_POLL_SECONDS = 0.02
# After SIGKILL only a process in uninterruptible sleep lingers; waiting longer would not help it.
_KILL_WAIT_SECONDS = 5.0
_DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of this boot. `start_time` is in clock ticks since boot."""

    pid: int
    start_time: int


@dataclass(frozen=True)
class _Stat:
    """The fields of /proc/<pid>/stat that say what a process belongs to."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_time: int

    @property
    def alive(self) -> bool:
        return self.state not in _DEAD_STATES


def identity_of(pid: int) -> ProcessIdentity | None:
    """Return the identity of the process that has `pid` now, None when there is none (a zombie is none)."""
    stat = _stat(pid)
    return ProcessIdentity(pid, stat.start_time) if stat is not None and stat.alive else None


def is_alive(identity: ProcessIdentity) -> bool:
    """Say whether this very process still runs. A zombie has ended; a later owner of the pid is another."""
    return identity_of(identity.pid) == identity


def started_at(identity: ProcessIdentity) -> float:
    """Return when the process was started, in seconds of the epoch, to the second."""
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    boot = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    return boot + identity.start_time / os.sysconf("SC_CLK_TCK")


async def end_group(identity: ProcessIdentity, grace_seconds: float, first: signal.Signals = signal.SIGTERM) -> None:
    """End the process, its group and its session: `first`, at most `grace_seconds`, then SIGKILL.

    The process must be a session or group leader of its own. Returns when nothing of it is left (or is stuck
    in the kernel); does nothing when its pid belongs to somebody else by now.
    """
    if await _signal_until_gone(identity, first, grace_seconds):
        return
    await _signal_until_gone(identity, signal.SIGKILL, _KILL_WAIT_SECONDS)


def proportional_memory(identity: ProcessIdentity, apart: Collection[int] = ()) -> int:
    """Return the bytes (PSS: shared pages divided among users) of the process and all that belongs to it.

    Descendants in sessions of their own count too (Postgres makes such), but for those whose pid stands in
    `apart` and what belongs to them.
    """
    members = {stat.pid for stat in _members(identity)}
    stats = [stat for stat in _all_stats() if stat.alive and stat.pid not in apart]
    while grown := {stat.pid for stat in stats if stat.parent in members} - members:
        members |= grown
    return sum(_pss(pid) for pid in members)


def _members(identity: ProcessIdentity) -> list[_Stat]:
    """Return the living processes of the identity's group and session.

    The kernel hands out no pid that is still the id of a group or session: while members live without their
    leader, the pid is free; once the pid has another start time, no member is left.
    """
    leader = _stat(identity.pid)
    if leader is not None and leader.start_time != identity.start_time:
        return []
    return [stat for stat in _all_stats() if stat.alive and identity.pid in (stat.pid, stat.group, stat.session)]


async def _signal_until_gone(identity: ProcessIdentity, number: signal.Signals, seconds: float) -> bool:
    """Signal every member once, those that come later too; True when none is left in time."""
    signalled: set[int] = set()
    deadline = time.monotonic() + seconds
    while members := _members(identity):
        for member in members:
            if member.pid not in signalled:
                signalled.add(member.pid)
                _signal(member.pid, number)
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _all_stats() -> Iterator[_Stat]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            yield stat


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in parentheses and may hold spaces and parentheses itself.
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(
        pid=pid,
        state=fields[0],
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start_time=int(fields[19]),
    )


def _pss(pid: int) -> int:
    """Return the process's PSS, its resident size where the kernel shows no more, 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except PermissionError:
        return _resident(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
