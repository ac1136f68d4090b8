"""What of a platform is there now: every part and every served model version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from reconciler.process_identity import is_alive, proportional_memory
from reconciler.services.lock import supervisor_of
from reconciler.services.record import PartRecord, PartState, read_records
from reconciler.services.sweep import Child, ChildKind, children

if TYPE_CHECKING:
    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.layout import Layout


@dataclass(frozen=True)
class ProcessStatus:
    """One process and what belongs to it. `memory` is its PSS in bytes; pid 0 means that none runs."""

    name: str
    pid: int
    address: str
    memory: int
    health: str


@dataclass(frozen=True)
class PartStatus(ProcessStatus):
    """One part; `since` is when its health last changed, in seconds of the epoch."""

    restarts: int
    since: float
    reason: str


@dataclass(frozen=True)
class PlatformStatus:
    """All parts, and apart from them what is the tenants': served model versions and runs."""

    up: bool
    parts: tuple[PartStatus, ...]
    served: tuple[ProcessStatus, ...]
    runs: tuple[ProcessStatus, ...]

    @property
    def memory(self) -> int:
        """Bytes (PSS) of the platform itself."""
        return sum(part.memory for part in self.parts)

    @property
    def healthy(self) -> bool:
        return self.up and all(part.health == PartState.READY for part in self.parts)

    def to_document(self) -> dict[str, Any]:
        return asdict(self) | {"memory": self.memory, "healthy": self.healthy}


def collect(layout: Layout) -> PlatformStatus:
    """Look now; never waits for a part. A part whose process is gone is `dead`, whatever was last noted."""
    living = children(layout)
    apart = {child.process.pid for child in living}
    parts = [_part(name, record, apart) for name, record in read_records(layout).items()]
    supervisor = supervisor_of(layout)
    if supervisor is not None:
        parts.insert(0, _supervisor(supervisor, apart | {part.pid for part in parts}))
    return PlatformStatus(
        up=supervisor is not None,
        parts=tuple(parts),
        served=tuple(_child(child) for child in living if child.kind is ChildKind.SERVED_VERSION),
        runs=tuple(_child(child) for child in living if child.kind is ChildKind.RUN),
    )


def _part(name: str, record: PartRecord, apart: set[int]) -> PartStatus:
    health, pid, memory = str(record.state), 0, 0
    if record.process is not None and is_alive(record.process):
        pid, memory = record.process.pid, proportional_memory(record.process, apart)
    elif record.process is not None:
        health = "dead"
    return PartStatus(name, pid, record.address, memory, health, record.restarts, record.since, record.reason)


def _supervisor(process: ProcessIdentity, apart: set[int]) -> PartStatus:
    memory = proportional_memory(process, apart)
    return PartStatus("supervisor", process.pid, "", memory, PartState.READY, 0, 0.0, "")


def _child(child: Child) -> ProcessStatus:
    memory = proportional_memory(child.process)
    return ProcessStatus(child.id, child.process.pid, child.address, memory, "running")
