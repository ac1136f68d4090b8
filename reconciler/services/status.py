"""What of a platform is there now: every part and every served model version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from reconciler.process_identity import is_alive, proportional_memory
from reconciler.services.lock import supervisor_of
from reconciler.services.record import PartRecord, PartState, read_records
from reconciler.services.sweep import claims

if TYPE_CHECKING:
    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.layout import Layout


@dataclass(frozen=True)
class PartStatus:
    """One part. `memory` is its PSS in bytes, `since` seconds of the epoch; pid 0 means that none runs."""

    name: str
    pid: int
    address: str
    memory: int
    health: str
    restarts: int
    since: float
    reason: str


@dataclass(frozen=True)
class PlatformStatus:
    """All parts, and apart from them the runs and model servers, whose memory is the tenants'."""

    up: bool
    parts: tuple[PartStatus, ...]
    served: tuple[PartStatus, ...]

    @property
    def memory(self) -> int:
        """Bytes (PSS) of the platform itself."""
        return sum(part.memory for part in self.parts)

    def to_document(self) -> dict[str, Any]:
        return asdict(self) | {"memory": self.memory}


def collect(layout: Layout) -> PlatformStatus:
    """Look now; never waits for a part. A part whose process is gone is `dead`, whatever was last noted of it."""
    supervisor = supervisor_of(layout)
    claimed = claims(layout)
    apart = {claim.process.pid for claim in claimed}
    parts = [_part(name, record, apart) for name, record in read_records(layout).items()]
    if supervisor is not None:
        others = apart | {part.pid for part in parts}
        parts.insert(0, _process("supervisor", supervisor, PartRecord(PartState.READY, ""), others))
    served = [_process(claim.id, claim.process, PartRecord(PartState.READY, ""), ()) for claim in claimed]
    return PlatformStatus(supervisor is not None, tuple(parts), tuple(served))


def _part(name: str, record: PartRecord, apart: set[int]) -> PartStatus:
    if record.process is not None and is_alive(record.process):
        return _process(name, record.process, record, apart)
    health = record.state if record.process is None else "dead"
    return PartStatus(name, 0, record.address, 0, health, record.restarts, record.since, record.reason)


def _process(
    name: str, process: ProcessIdentity, record: PartRecord, apart: set[int] | tuple[()]
) -> PartStatus:
    memory = proportional_memory(process, apart)
    return PartStatus(
        name, process.pid, record.address, memory, record.state, record.restarts, record.since, record.reason
    )
