"""How a ledger that was made anew takes what storage says of a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from reconciler.planning.observations import OutputArtifact
from reconciler.planning.past_runs import UNREADABLE, UNRECORDED, past_run
from reconciler.planning.runs import RunRow, RunState, RunUid
from reconciler.workers.run_orchestrator import terminal_record

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OUTPUT = OutputArtifact("train", "model", "s3://artifacts/one", "system.Model")
RUN = RunRow(
    uid=RunUid(UUID(int=1)),
    attempt=2,
    tenant="acme",
    project="fraud",
    name="one",
    path="tenants/acme/projects/fraud/runs/2026-11-23/one.yaml",
    commit="c" * 40,
    template="train@1.0.0",
    parameters={},
    register_model="fraud",
    register_output="",
    cancelled=False,
    state=RunState.CREATED,
    fence=0,
)


def record(**more: Any) -> dict[str, Any]:
    made = terminal_record(RUN, RunState.SUCCEEDED, "well", "fraud@3", "d" * 40)
    return {
        **made,
        "outputs": [{"task": "train", "output": "model", "uri": OUTPUT.uri, "schema": OUTPUT.schema}],
        **more,
    }


def test_a_record_says_how_the_run_ended() -> None:
    past = past_run(RUN, NOON, json.dumps(record()).encode())
    assert (past.run.state, past.reason, past.model) == (RunState.SUCCEEDED, "well", "fraud@3")
    assert (past.run.outputs, past.asked_at) == ((OUTPUT,), NOON)


def test_without_a_record_nobody_knows() -> None:
    past = past_run(RUN, NOON, None)
    assert (past.run.state, past.reason) == (RunState.UNKNOWN, UNRECORDED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        json.dumps(record(state="running")).encode(),
        json.dumps(record(state="lost")).encode(),
        json.dumps(record(attempt=1)).encode(),
        json.dumps(record(outputs=[{"who": "knows"}])).encode(),
        json.dumps({"state": "failed"}).encode(),
    ],
)
def test_of_a_record_that_makes_no_sense_nobody_knows_either(body: bytes) -> None:
    past = past_run(RUN, NOON, body)
    assert (past.run.state, past.reason) == (RunState.UNKNOWN, UNREADABLE)
    assert past.run.state.terminal
