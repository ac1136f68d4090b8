"""Ending what belongs to a platform, each process known by pid and start time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.process_identity import ProcessIdentity, end_group, identity_of, is_alive
from reconciler.services.files import read_document
from reconciler.services.record import PartRecord, PartState, read_records, write_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.services.layout import Layout

MARKER = "ORDAIN_PART_MARKER"
_CHILD_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Claim:
    """A run or a model server: a process with a folder of its own."""

    id: str
    process: ProcessIdentity


def claims(layout: Layout) -> list[Claim]:
    """Return the runs and model servers that are alive."""
    found = []
    for file in sorted(layout.processes.glob("*/claim.json")):
        process = _claimed_process(file)
        if process is not None and is_alive(process):
            found.append(Claim(file.parent.name, process))
    return found


def _claimed_process(file: Path) -> ProcessIdentity | None:
    try:
        document = read_document(file)
        return ProcessIdentity(pid=document["pid"], start_time=document["start_time"])
    except (ValueError, KeyError, TypeError):  # being written: the process is not known yet
        return None


async def end_parts(layout: Layout) -> list[str]:
    """End every part an earlier supervisor left behind; return their names."""
    records = read_records(layout)
    left = {name: process for name, record in records.items() if (process := _living(record)) is not None}
    ends = [
        end_group(process, records[name].grace_seconds, records[name].stop_signal)
        for name, process in left.items()
    ]
    await asyncio.gather(*ends)
    write_records(layout, {name: record.moved(PartState.STOPPED) for name, record in records.items()})
    return sorted(left)


async def end_claims(layout: Layout) -> list[str]:
    """End every run and model server; return their ids. Their folders stay: they say what came of each."""
    living = claims(layout)
    await asyncio.gather(*(end_group(claim.process, _CHILD_GRACE_SECONDS) for claim in living))
    return [claim.id for claim in living]


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
