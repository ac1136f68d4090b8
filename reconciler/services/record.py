"""What a supervisor notes down so that `status`, `down` and the next `up` find its processes without it."""

from __future__ import annotations

import signal
import time
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from reconciler.process_identity import ProcessIdentity
from reconciler.services.files import read_document, write_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.services.layout import Layout
    from reconciler.services.part import Part


class PartState(StrEnum):
    """Where a part is in its life."""

    WAITING = "waiting"  # for those it comes after
    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"  # lives, but does not answer
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class PartRecord:
    """One part as the supervisor last saw it.

    `marker` stands in the environment of the process and is noted before it is started: a supervisor killed
    between the start and the note of the pid leaves a process that its marker still finds.
    """

    state: PartState
    address: str
    marker: str = ""
    process: ProcessIdentity | None = None
    restarts: int = 0
    since: float = field(default_factory=time.time)
    reason: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 5.0

    @classmethod
    def of(cls, part: Part) -> Self:
        return cls(PartState.WAITING, part.address, stop_signal=part.stop_signal, grace_seconds=part.grace_seconds)

    def moved(self, state: PartState, reason: str = "") -> PartRecord:
        return replace(self, state=state, reason=reason, since=time.time())

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        process = document["process"]
        known = dict(document) | {
            "state": PartState(document["state"]),
            "process": ProcessIdentity(**process) if process else None,
            "stop_signal": signal.Signals(document["stop_signal"]),
        }
        return cls(**known)


def write_records(layout: Layout, records: Mapping[str, PartRecord]) -> None:
    document = {"boot": boot_id(), "parts": {name: asdict(record) for name, record in records.items()}}
    write_document(layout.supervisor_state, document)


def read_records(layout: Layout) -> dict[str, PartRecord]:
    """Return the records of this boot of the machine; start times of another boot mean nothing."""
    document = read_document(layout.supervisor_state)
    if document is None or document["boot"] != boot_id():
        return {}
    return {name: PartRecord.from_document(record) for name, record in document["parts"].items()}


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
