"""What a KFP API server says of a run, read. Pure: JSON in, observations out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.planning.observations import EngineRunId, EngineState, RunObservation, TaskObservation

Json = Mapping[str, Any]

_STATES = {
    "PENDING": EngineState.PENDING,
    "RUNNING": EngineState.RUNNING,
    "CANCELING": EngineState.RUNNING,
    "PAUSED": EngineState.RUNNING,
    "SUCCEEDED": EngineState.SUCCEEDED,
    "SKIPPED": EngineState.SKIPPED,
    "FAILED": EngineState.FAILED,
    "CANCELED": EngineState.CANCELLED,
}
"""V2beta1RuntimeState. A run without one was made by the persistence agent and not yet reported: it is pending."""
CANCELING = "CANCELING"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def observed(run: Json, seen_at: datetime) -> RunObservation:
    """Return a run as its row shows it; outputs are not in it."""
    state = run_state(run)
    tasks = tuple(tasks_of(run))
    error = error_of(run, tasks) if state in {EngineState.FAILED, EngineState.SKIPPED} else ""
    return RunObservation(EngineRunId(run["run_id"]), seen_at, state=state, tasks=tasks, error=error)


def run_state(run: Json) -> EngineState:
    """Return where a run stands. What failed after it was seen CANCELING was cancelled: KFP calls both FAILED."""
    state = _STATES.get(run.get("state", ""), EngineState.PENDING)
    if state is EngineState.FAILED and any(each.get("state") == CANCELING for each in run.get("state_history", ())):
        return EngineState.CANCELLED
    return state


def tasks_of(run: Json) -> Iterator[TaskObservation]:
    """Yield the tasks of a run. Its details list every node of the Workflow; those named like tasks are these."""
    names = outputs_by_task(run)
    for node in run.get("run_details", {}).get("task_details", ()):
        if node.get("display_name") in names:
            yield TaskObservation(
                name=node["display_name"],
                state=_STATES.get(node.get("state", ""), EngineState.PENDING),
                started_at=_time(node.get("start_time")),
                finished_at=_time(node.get("end_time")),
                error=node.get("error", {}).get("message", ""),
            )


def error_of(run: Json, tasks: tuple[TaskObservation, ...]) -> str:
    """Return what failed, in one line or a few."""
    failed = [task for task in tasks if task.state is EngineState.FAILED]
    said = [f"task {task.name} failed{f': {task.error}' if task.error else ''}" for task in failed]
    return "; ".join(said) or str(run.get("error", {}).get("message", ""))


def pipeline_of(run: Json) -> Json:
    """Return the PipelineSpec of a run, which comes back as it was sent: alone, or beside a platform spec."""
    spec: Json = run.get("pipeline_spec") or {}
    inner: Json = spec.get("pipeline_spec", spec)
    return inner


def outputs_by_task(run: Json) -> Mapping[str, Mapping[str, str]]:
    """Return the output artifacts that tasks declare, those of inner DAGs included: the schema by output, by task."""
    pipeline = pipeline_of(run)
    components: Mapping[str, Json] = pipeline.get("components", {})
    dags = [each["dag"] for each in (pipeline.get("root", {}), *components.values()) if "dag" in each]
    return {
        task: _outputs(components.get(spec.get("componentRef", {}).get("name", ""), {}))
        for dag in dags
        for task, spec in dag.get("tasks", {}).items()
    }


def _outputs(component: Json) -> Mapping[str, str]:
    artifacts: Mapping[str, Json] = component.get("outputDefinitions", {}).get("artifacts", {})
    return {name: each.get("artifactType", {}).get("schemaTitle", "") for name, each in artifacts.items()}


def fingerprint(run: Json) -> tuple[Any, ...]:
    """Return what changes whenever a run is worth another look."""
    nodes = run.get("run_details", {}).get("task_details", ())
    return run.get("state"), *((node.get("display_name"), node.get("state")) for node in nodes)


def _time(text: str | None) -> datetime | None:
    found = datetime.fromisoformat(text) if text else NEVER
    return None if found == NEVER else found
