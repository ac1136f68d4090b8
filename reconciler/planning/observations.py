"""What engines and servers were seen to be. Observations may be partial and are always dated."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

EngineRunId = NewType("EngineRunId", str)
"""The id under which an engine knows a run: uuid5(run uid, attempt, try)."""


class Delivery(StrEnum):
    """What an engine can promise of a submission, whatever crashes."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"
    """A run may be executed twice; that is seen afterwards, and all but one execution are ended."""


class EngineState(StrEnum):
    """Where a pipeline run or one of its tasks stands in its engine."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def finished(self) -> bool:
        """Whether the engine will change nothing more."""
        return self not in {EngineState.PENDING, EngineState.RUNNING}


@dataclass(frozen=True)
class TaskObservation:
    """One task of a pipeline run."""

    name: str
    state: EngineState
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    """Scalar metadata of the task's KFP Metrics artifacts."""


@dataclass(frozen=True)
class OutputArtifact:
    """One output artifact, already in object storage."""

    task: str
    output: str
    uri: str
    """`s3://<bucket>/<prefix>`: an object or, ending in `/`, all objects below it."""
    schema: str
    """KFP schema title, such as `system.Model` or `system.Metrics`."""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunObservation:
    """A run as its engine shows it. `absent`: the engine was asked and does not know the run."""

    run_id: EngineRunId
    seen_at: datetime
    absent: bool = False
    unsettled: str = ""
    """Neither there nor absent yet: why, for a person. Look again before anything else."""
    withdrawn: bool = False
    """Absent because the engine was stopped, on purpose, before it had finished the run: nothing of it goes on."""
    state: EngineState = EngineState.PENDING
    tasks: tuple[TaskObservation, ...] = ()
    outputs: tuple[OutputArtifact, ...] = ()
    """Complete only once `state` is SUCCEEDED."""
    error: str = ""
    """For a failed run: what failed, in one or a few lines a person can act on."""


class ServerState(StrEnum):
    """Where one served model version stands."""

    STARTING = "starting"
    READY = "ready"
    """A real inference was answered."""
    FAILED = "failed"


@dataclass(frozen=True)
class ServerSpec:
    """One rendered InferenceService, as much of it as serving on one machine needs."""

    namespace: str
    name: str
    model: str
    """The Triton model's name: the one top folder of its repository."""
    storage_uri: str
    """`s3://<bucket>/<prefix>/`: below it lies the Triton model repository."""
    digest: str
    """`sha256:<hex>` of the canonical list of files; verified before anything is served."""

    @property
    def key(self) -> str:
        """Name this server: another digest or place is another server."""
        return f"{self.namespace}.{self.name}.{self.digest.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True)
class ServerObservation:
    """A server of one model version as it was found."""

    key: str
    state: ServerState
    address: str = ""
    """`127.0.0.1:<port>` of the V2 HTTP protocol, once known."""
    reason: str = ""
    """For FAILED, and for STARTING where something is being retried: why, for a person."""
    active_requests: int = 0
    """Requests in flight through the edge right now."""


@dataclass(frozen=True)
class Backend:
    """One weighted destination of a route."""

    server: str
    """Key of the ServerSpec."""
    address: str
    weight: int


@dataclass(frozen=True)
class EdgeRoute:
    """Traffic of one deployment: from its public paths to weighted servers."""

    hostname: str
    tenant: str
    project: str
    deployment: str
    model: str
    backends: tuple[Backend, ...]
    timeout_seconds: float = 30.0


@dataclass(frozen=True)
class EdgeTenant:
    """One tenant's virtual host."""

    tenant: str
    default_project: str
    hostnames: tuple[str, ...]
    """Full host names, such as `acme.ml.localhost`."""


@dataclass(frozen=True)
class EdgeConfig:
    """Everything the edge serves; replaced as a whole."""

    base_domain: str
    tenants: tuple[EdgeTenant, ...]
    routes: tuple[EdgeRoute, ...]
