"""What a local run wrote about itself, and what that means. Pure; run_folder.py reads, run_child.py writes.

The child runs packages' code as the same user, so its documents are checked like any input from outside.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from reconciler.planning.observations import (
    EngineRunId,
    EngineState,
    OutputArtifact,
    RunObservation,
    TaskObservation,
)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
"""A task or an output: KFP's own names, harmless in paths and keys."""

LOST = "lost: the run's process ended without leaving a result (killed, or the machine restarted)"
_SHELL_SIGNAL_BASE = 128
_MAX_REASON_LINES = 5
_MAX_REASON_CHARACTERS = 1000
_TRACEBACK = "Traceback (most recent call last):"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArtifactRecord(_Document):
    """One output artifact, still on the run's own disk."""

    name: Name
    schema_title: str = Field(alias="schema")
    path: str
    metadata: dict[str, Any] = {}


class TaskRecord(_Document):
    """One task as the child saw it."""

    name: Name
    state: EngineState
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    error: str = ""
    artifacts: tuple[ArtifactRecord, ...] = ()


class RunRecord(_Document):
    """progress.json and result.json; the run has finished when it is the latter."""

    format: int
    state: EngineState
    error: str
    tasks: tuple[TaskRecord, ...] = ()


class UploadedOutput(_Document):
    """One OutputArtifact, as uploaded.json keeps it."""

    task: str
    output: str
    uri: str
    schema_title: str
    metadata: dict[str, Any] = {}

    def to_artifact(self) -> OutputArtifact:
        return OutputArtifact(self.task, self.output, self.uri, self.schema_title, self.metadata)


class Uploaded(_Document):
    """uploaded.json: all is in object storage. `refused` fails the run: it says which output, and why."""

    outputs: tuple[UploadedOutput, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class Snapshot:
    """One run's folder at one moment; whether its process lives was looked at before the files were read."""

    claimed: bool
    alive: bool
    cancelled: bool
    withdrawn: bool = False
    result: RunRecord | None = None
    progress: RunRecord | None = None
    unreadable: str = ""
    """Why result.json is no RunRecord, where there is one."""
    process_log: str = ""
    """The end of what the run's own process said, outside its tasks."""
    failure_logs: Mapping[str, str] = field(default_factory=dict)
    """By failed task: the end of its log."""


def interpret(seen: Snapshot, run_id: EngineRunId, now: datetime) -> RunObservation:
    """Say where the run stands; its outputs are not listed here, because they are not in object storage yet.

    A run without a claim is not under way and never will be, unless it is submitted again: it is absent.
    """
    if not seen.claimed and not seen.cancelled:
        return RunObservation(run_id, now, absent=True, withdrawn=seen.withdrawn)
    record = seen.result or seen.progress
    state, error = _standing(seen)
    tasks = tuple(_task(task, state, seen) for task in record.tasks) if record else ()
    return RunObservation(run_id, now, state=state, error=error, tasks=tasks)


def _standing(seen: Snapshot) -> tuple[EngineState, str]:
    if seen.result is not None:
        finished = seen.result.state
        return finished, _run_error(seen.result, seen.failure_logs) if finished is EngineState.FAILED else ""
    if seen.alive:
        return (EngineState.RUNNING if seen.progress else EngineState.PENDING), ""
    if seen.cancelled:
        return EngineState.CANCELLED, "cancelled"
    return EngineState.FAILED, seen.unreadable or _lost(seen)


def _lost(seen: Snapshot) -> str:
    """Say that the run is lost; of one that never got to its tasks, what its process said last tells why."""
    last_words = "" if seen.progress else failure_reason(seen.process_log)
    return f"{LOST}: {last_words}" if last_words else LOST


def _task(task: TaskRecord, run: EngineState, seen: Snapshot) -> TaskObservation:
    state = _settled(task.state, run)
    error = _task_error(task, seen.failure_logs) if state is EngineState.FAILED else ""
    return TaskObservation(task.name, state, task.started_at, task.finished_at, error, _metrics(task))


def _settled(task: EngineState, run: EngineState) -> EngineState:
    """Return what becomes of a task whose run ended under it: nothing runs or waits in a finished run."""
    if task.finished or not run.finished:
        return task
    if task is EngineState.PENDING:
        return EngineState.SKIPPED
    return EngineState.CANCELLED if run is EngineState.CANCELLED else EngineState.FAILED


def _run_error(record: RunRecord, logs: Mapping[str, str]) -> str:
    failed = next((task for task in record.tasks if task.state is EngineState.FAILED), None)
    if failed is None:
        return record.error
    return f"task {failed.name} failed: {_task_error(failed, logs)}"


def _task_error(task: TaskRecord, logs: Mapping[str, str]) -> str:
    if task.error:
        return task.error
    if task.state is not EngineState.FAILED:
        return LOST
    code = task.exit_code or 0
    number = -code if code < 0 else code - _SHELL_SIGNAL_BASE
    if number in {item.value for item in signal.Signals}:
        return f"killed by {signal.Signals(number).name}"
    return failure_reason(logs.get(task.name, "")) or f"exit code {code}, and nothing in its log"


def failure_reason(log: str) -> str:
    """Return what a failed program said last: the exception of its last traceback, else its last line."""
    lines = [line.rstrip() for line in log.splitlines()]
    if _TRACEBACK in lines:
        start = len(lines) - lines[::-1].index(_TRACEBACK)
        message = itertools.dropwhile(lambda line: not line or line.startswith(" "), lines[start:])
        if reason := "\n".join(itertools.islice(message, _MAX_REASON_LINES)).strip():
            return reason[:_MAX_REASON_CHARACTERS]
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:_MAX_REASON_CHARACTERS]


def _metrics(task: TaskRecord) -> dict[str, float]:
    return {
        name: float(value)
        for artifact in task.artifacts
        if artifact.schema_title == "system.Metrics"
        for name, value in artifact.metadata.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
