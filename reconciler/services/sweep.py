"""Ending what belongs to a platform, each process known by pid and start time."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.model_server_litter import remove_litter
from reconciler.process_identity import ProcessIdentity, end_group, identity_of, is_alive
from reconciler.services.files import read_document
from reconciler.services.record import PartRecord, PartState, read_records, write_records
from reconciler.services.settings import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.services.layout import Layout

MARKER = "ORDAIN_PART_MARKER"


class ChildKind(StrEnum):
    """What a driver started."""

    RUN = "run"
    SERVED_VERSION = "served-version"


# A run's tasks may want a moment. A server has nothing to save, and takes 3 to 6 s to find that out.
_GRACE_SECONDS = {ChildKind.RUN: 5.0, ChildKind.SERVED_VERSION: 0.0}


@dataclass(frozen=True)
class Child:
    """A living run or model server: a session with a folder of its own below `Layout.processes`."""

    id: str
    kind: ChildKind
    process: ProcessIdentity
    address: str


# The file in which a driver notes pid and start time, by what it started; a server's also has its port.
_CLAIM = "claim.json"
_WITHDRAWN = "withdrawn.json"
_SERVER = "triton.json"
_NOTES = {_CLAIM: ChildKind.RUN, _SERVER: ChildKind.SERVED_VERSION}


def children(layout: Layout) -> list[Child]:
    """Return the runs and model servers that are alive."""
    found = [_child(file, kind) for name, kind in _NOTES.items() for file in layout.processes.glob(f"*/{name}")]
    return sorted((child for child in found if child and is_alive(child.process)), key=lambda child: child.id)


def _child(file: Path, kind: ChildKind) -> Child | None:
    try:
        note = read_document(file)
        process = ProcessIdentity(pid=note["pid"], start_time=note["start_time"])
    except (ValueError, KeyError, TypeError):  # gone, being written, or a claim that names no process
        return None
    address = f"{HOST}:{note['port']}" if "port" in note else ""
    return Child(file.parent.name, kind, process, address)


async def end_parts(layout: Layout) -> list[str]:
    """End every part an earlier supervisor left behind; return their names."""
    records = read_records(layout)
    left = {name: process for name, record in records.items() if (process := _living(record)) is not None}
    ends = [
        end_group(process, records[name].grace_seconds, records[name].stop_signal) for name, process in left.items()
    ]
    await asyncio.gather(*ends)
    write_records(layout, {name: record.moved(PartState.STOPPED) for name, record in records.items()})
    return sorted(left)


async def end_children(layout: Layout) -> list[str]:
    """End every run and model server; return their ids. Their folders stay: they say what came of each.

    A run that had not ended by itself gives its claim back, so that the next reconciler may begin it again: nobody
    but us ended it, and we know that nothing of it is left.
    """
    living = children(layout)
    await asyncio.gather(*(end_group(child.process, _GRACE_SECONDS[child.kind]) for child in living))
    for child in living:
        if child.kind is ChildKind.RUN and not is_alive(child.process):
            _withdraw(layout.processes / child.id)
    _remove_litter(layout)
    return [child.id for child in living]


def withdrawn_runs(layout: Layout) -> int:
    """Return how many runs begin again with the next `up`."""
    notes = layout.processes.glob(f"*/{_WITHDRAWN}")
    return sum(not (note.parent / _CLAIM).exists() for note in notes)


def _withdraw(folder: Path) -> None:
    if not (folder / "result.json").exists():
        with contextlib.suppress(FileNotFoundError):
            (folder / _CLAIM).rename(folder / _WITHDRAWN)


def _remove_litter(layout: Layout) -> None:
    for file in layout.processes.glob(f"*/{_SERVER}"):
        if note := read_document(file):
            remove_litter(note["shared_memory"], ProcessIdentity(note["pid"], note["start_time"]))


def _living(record: PartRecord) -> ProcessIdentity | None:
    if record.process is not None:
        return record.process if is_alive(record.process) else None
    return _marked(record.marker) if record.marker else None


def _marked(marker: str) -> ProcessIdentity | None:
    """Return the process started with a marker; its children have the variable too, so take the oldest."""
    wanted = f"{MARKER}={marker}".encode()
    found = [identity for pid in _pids() if wanted in _environment(pid) and (identity := identity_of(pid))]
    return min(found, key=lambda identity: identity.start_time, default=None)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or another user's
        return []
