"""What a KFP server says of a run, read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.drivers.kubernetes.kfp_runs import fingerprint, observed, run_state, tasks_of
from reconciler.planning.observations import EngineState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SPEC = {
    "pipelineInfo": {"name": "train"},
    "components": {
        "comp-outer": {"dag": {"tasks": {"inner": {"componentRef": {"name": "comp-inner"}}}}},
        "comp-inner": {"executorLabel": "exec-inner"},
    },
    "root": {"dag": {"tasks": {"outer": {"componentRef": {"name": "comp-outer"}}}}},
}


def run(**fields: Any) -> dict[str, Any]:
    return {"run_id": "r", "pipeline_spec": {"pipeline_spec": SPEC, "platform_spec": {}}, **fields}


def node(name: str, state: str, **more: Any) -> dict[str, Any]:
    times = {"start_time": "2026-11-23T11:00:00Z", "end_time": "1970-01-01T00:00:00Z"}
    return {"display_name": name, "state": state, **times, **more}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, EngineState.PENDING),
        ({"state": "PENDING"}, EngineState.PENDING),
        ({"state": "RUNNING"}, EngineState.RUNNING),
        ({"state": "PAUSED"}, EngineState.RUNNING),
        ({"state": "CANCELING"}, EngineState.RUNNING),
        ({"state": "SUCCEEDED"}, EngineState.SUCCEEDED),
        ({"state": "SKIPPED"}, EngineState.SKIPPED),
        ({"state": "CANCELED"}, EngineState.CANCELLED),
        ({"state": "FAILED", "state_history": [{"state": "RUNNING"}]}, EngineState.FAILED),
        ({"state": "FAILED", "state_history": [{"state": "CANCELING"}, {"state": "FAILED"}]}, EngineState.CANCELLED),
        ({"state": "SUCCEEDED", "state_history": [{"state": "CANCELING"}]}, EngineState.SUCCEEDED),
        ({"state": "A_STATE_OF_LATER"}, EngineState.PENDING),
    ],
)
def test_every_state_of_kfp_is_one_of_ours(said: dict[str, Any], state: EngineState) -> None:
    assert run_state(run(**said)) is state


def test_tasks_are_the_nodes_that_the_pipeline_names() -> None:
    nodes = [node(name, "RUNNING") for name in ("train-x7k2p", "root-driver", "root", "outer", "inner", "executor")]
    found = list(tasks_of(run(run_details={"task_details": nodes})))
    assert [task.name for task in found] == ["outer", "inner"]
    assert found[0].started_at == datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    assert found[0].finished_at is None


def test_a_failure_says_which_task_and_why() -> None:
    nodes = [node("outer", "FAILED"), node("inner", "FAILED", error={"code": 13, "message": "no luck"})]
    assert observed(run(state="FAILED", run_details={"task_details": nodes}), NOW).error == (
        "task outer failed; task inner failed: no luck"
    )
    assert observed(run(state="FAILED", error={"code": 5, "message": "deadline"}), NOW).error == "deadline"


def test_a_run_has_moved_when_its_state_or_that_of_a_task_is_another() -> None:
    before = run(state="RUNNING", run_details={"task_details": [node("outer", "RUNNING")]})
    moved = run(state="RUNNING", run_details={"task_details": [node("outer", "SUCCEEDED")]})
    assert fingerprint(before) == fingerprint(dict(before, display_name="renamed"))
    assert fingerprint(before) != fingerprint(moved)
