"""The run state machine: ledger row and observation in, the one next action out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID, uuid5

from reconciler.planning.observations import Delivery, EngineRunId, EngineState, OutputArtifact, RunObservation

SETTLED_SECONDS = 60.0
"""After so long a submission that got no answer has been taken or never will be.

For engines that cannot refuse a second one. KFP 2.17 answered within 1.0 s of Kubernetes' going away and took at most
100 ms otherwise; what delays it further are the queues in front of it, which proxies end after 60 s.
"""

RunUid = NewType("RunUid", UUID)


class RunState(StrEnum):
    """Where a run stands in the ledger."""

    CREATED = "created"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RUNNING = "running"
    REGISTERING = "registering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """The ledger was made anew, and nothing says how the run ended."""

    @property
    def terminal(self) -> bool:
        """Whether the run will never change again."""
        return self in {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.UNKNOWN}

    @property
    def at_engine(self) -> bool:
        """Whether the engine may know the run."""
        return self in {RunState.SUBMITTING, RunState.SUBMITTED, RunState.RUNNING}


class RegistrationState(StrEnum):
    """What became of the request for a ModelVersion."""

    UNASKED = "unasked"
    WAITING = "waiting"
    COMMITTED = "committed"
    REFUSED = "refused"


@dataclass(frozen=True)
class Registration:
    """The request for a ModelVersion as the queue shows it."""

    state: RegistrationState
    commit: str = ""
    path: str = ""
    reason: str = ""


@dataclass(frozen=True)
class RunRow:
    """One attempt of one run, as the ledger has it."""

    uid: RunUid
    attempt: int
    tenant: str
    project: str
    name: str
    path: str
    commit: str
    """The commit that asked for this attempt."""
    template: str
    parameters: Mapping[str, Any]
    register_model: str
    """Name of the model to register, or empty."""
    register_output: str
    cancelled: bool
    """`desired: Cancelled`, or the intent was removed."""
    state: RunState
    fence: int
    requested_by: str = ""
    """Author of that commit."""
    submissions: int = 0
    """How often it was handed to the engine, or was about to be."""
    submitted_ago: float | None = None
    """Seconds since the last of them, by the ledger's clock."""
    delivery: Delivery = Delivery.EXACTLY_ONCE
    """The least that the engine could promise of any of them."""
    outputs: tuple[OutputArtifact, ...] = field(default=())
    """Kept from the engine's last word, so that registration needs the engine no more."""

    @property
    def run_id(self) -> EngineRunId:
        """The deterministic id under which the engine gets this attempt."""
        return EngineRunId(str(uuid5(self.uid, f"attempt-{self.attempt}")))

    @property
    def registration_id(self) -> UUID:
        """The deterministic id of the request for this attempt's ModelVersion."""
        return uuid5(self.uid, f"attempt-{self.attempt}/register/{self.register_model}/{self.register_output}")


@dataclass(frozen=True)
class Rest:
    """Nothing to do, ever again."""


@dataclass(frozen=True)
class Claim:
    """Write ahead that the run is about to be submitted, if its project has room for it."""


@dataclass(frozen=True)
class Submit:
    """Hand the run to the engine, which was asked and does not know it."""

    again: bool = False
    """It had been begun before, and the engine was stopped on purpose."""


@dataclass(frozen=True)
class LookAgain:
    """Whether the engine has the run is not settled: nothing may be done before another look."""

    reason: str
    after: float | None = None
    """Seconds; None is the usual time."""


@dataclass(frozen=True)
class Cancel:
    """Stop the run at the engine."""


@dataclass(frozen=True)
class Record:
    """Note what the engine shows and look again later."""

    state: RunState
    seen: RunObservation


@dataclass(frozen=True)
class Register:
    """Ask for the ModelVersion; the run succeeds when that is committed."""

    artifact: OutputArtifact


@dataclass(frozen=True)
class AwaitRegistration:
    """The ModelVersion waits for the writer's turn."""


@dataclass(frozen=True)
class Finish:
    """Write the terminal record, then the row."""

    state: RunState
    reason: str = ""
    seen: RunObservation | None = None


RunAction = Rest | Claim | Submit | LookAgain | Cancel | Record | Register | AwaitRegistration | Finish


def next_action(run: RunRow, seen: RunObservation | None, registration: Registration) -> RunAction:
    """Return the one thing to do now for `run`.

    Total: every pair of ledger state and observation has an answer, so a worker never has to think.
    `seen` is None exactly while the engine cannot know the run.
    """
    if run.state.terminal:
        return Rest()
    if run.state is RunState.CREATED:
        return Finish(RunState.CANCELLED, "cancelled before submission") if run.cancelled else Claim()
    if run.state is RunState.REGISTERING:
        return _registering(run, registration)
    if seen is not None and seen.unsettled:
        return LookAgain(seen.unsettled)
    if seen is None or seen.absent:
        return _unknown_to_engine(run, seen)
    return _at_engine(run, seen)


def _unknown_to_engine(run: RunRow, seen: RunObservation | None) -> RunAction:
    if run.state is RunState.SUBMITTING:
        return _not_taken(run)
    if seen is None or not seen.withdrawn:
        return Finish(RunState.FAILED, "lost: the engine no longer knows the run it had taken")
    return Finish(RunState.CANCELLED, "cancelled") if run.cancelled else Submit(again=True)


def _not_taken(run: RunRow) -> RunAction:
    """Submit what the engine does not have, unless it may still take a submission whose answer was lost."""
    open_for = 0.0 if run.submitted_ago is None else SETTLED_SECONDS - run.submitted_ago
    if open_for > 0 and run.delivery is Delivery.AT_LEAST_ONCE:
        return LookAgain("the engine may still take a submission that it did not answer", open_for)
    return Finish(RunState.CANCELLED, "cancelled before submission") if run.cancelled else Submit()


def _at_engine(run: RunRow, seen: RunObservation) -> RunAction:
    match seen.state:
        case EngineState.SUCCEEDED if run.register_model:
            return Record(RunState.REGISTERING, seen)
        case EngineState.SUCCEEDED:
            return Finish(RunState.SUCCEEDED, seen=seen)
        case EngineState.CANCELLED:
            return Finish(RunState.CANCELLED, seen.error or "cancelled", seen)
        case EngineState.FAILED | EngineState.SKIPPED:
            return Finish(RunState.FAILED, seen.error or "the engine gave no reason", seen)
        case _ if run.cancelled:
            return Cancel()
        case EngineState.PENDING:
            return Record(RunState.SUBMITTED, seen)
        case EngineState.RUNNING:
            return Record(RunState.RUNNING, seen)


def _registering(run: RunRow, registration: Registration) -> RunAction:
    match registration.state:
        case RegistrationState.COMMITTED:
            return Finish(RunState.SUCCEEDED)
        case RegistrationState.REFUSED:
            return Finish(RunState.FAILED, f"the model was not registered: {registration.reason}")
        case RegistrationState.WAITING:
            return AwaitRegistration()
        case RegistrationState.UNASKED:
            return _ask_to_register(run)


def _ask_to_register(run: RunRow) -> RunAction:
    models = [item for item in run.outputs if item.schema == "system.Model"]
    if run.register_output:
        models = [item for item in models if item.output == run.register_output]
    if len(models) == 1:
        return Register(models[0])
    found = ", ".join(f"{item.task}.{item.output}" for item in models) or "none"
    return Finish(
        RunState.FAILED,
        f"register needs exactly one model output, the run has {found}: name it in register.output",
    )
