"""What a local run's folder means, without a process and without a disk."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from reconciler.drivers.local.run_record import (
    LOST,
    RunRecord,
    Snapshot,
    TaskRecord,
    failure_reason,
    interpret,
)
from reconciler.planning.observations import EngineRunId, EngineState, RunObservation

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = EngineRunId("5c0a6f3e-0000-4000-8000-000000000000")

SUCCEEDED, FAILED, RUNNING = EngineState.SUCCEEDED, EngineState.FAILED, EngineState.RUNNING
PENDING, SKIPPED, CANCELLED = EngineState.PENDING, EngineState.SKIPPED, EngineState.CANCELLED


def record(state: EngineState, *tasks: EngineState, error: str = "") -> RunRecord:
    named = tuple(TaskRecord(name=f"task-{at}", state=task) for at, task in enumerate(tasks))
    return RunRecord(format=1, state=state, error=error, tasks=named)


def seen(snapshot: Snapshot) -> RunObservation:
    return interpret(snapshot, RUN, NOW)


def test_nothing_claimed_is_absent() -> None:
    unclaimed = Snapshot(claimed=False, alive=False, cancelled=False)
    assert (seen(unclaimed).absent, seen(unclaimed).withdrawn) == (True, False)


@pytest.mark.parametrize(
    ("claimed", "cancelled", "expected"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_a_withdrawn_run_is_that_until_it_is_claimed_again(*, claimed: bool, cancelled: bool, expected: bool) -> None:
    snapshot = Snapshot(claimed=claimed, alive=False, cancelled=cancelled, withdrawn=True, progress=record(RUNNING))
    assert seen(snapshot).withdrawn is seen(snapshot).absent is expected


@pytest.mark.parametrize(
    ("claimed", "alive", "cancelled", "progress", "result", "expected"),
    [
        (False, False, True, None, None, CANCELLED),
        (True, True, False, None, None, PENDING),
        (True, True, False, RUNNING, None, RUNNING),
        (True, True, True, RUNNING, None, RUNNING),
        (True, True, False, SUCCEEDED, SUCCEEDED, SUCCEEDED),
        (True, False, False, SUCCEEDED, SUCCEEDED, SUCCEEDED),
        (True, False, True, SUCCEEDED, SUCCEEDED, SUCCEEDED),
        (True, False, True, RUNNING, None, CANCELLED),
        (True, False, False, FAILED, FAILED, FAILED),
        (True, False, False, RUNNING, None, FAILED),
        (True, False, False, None, None, FAILED),
    ],
)
def test_where_a_run_stands(
    *,
    claimed: bool,
    alive: bool,
    cancelled: bool,
    progress: EngineState | None,
    result: EngineState | None,
    expected: EngineState,
) -> None:
    snapshot = Snapshot(
        claimed=claimed,
        alive=alive,
        cancelled=cancelled,
        progress=record(progress) if progress else None,
        result=record(result) if result else None,
    )
    assert seen(snapshot).state is expected


@pytest.mark.parametrize(
    ("cancelled", "expected"),
    [(False, [SUCCEEDED, FAILED, SKIPPED]), (True, [SUCCEEDED, CANCELLED, SKIPPED])],
)
def test_no_task_of_a_dead_run_still_runs_or_waits(*, cancelled: bool, expected: list[EngineState]) -> None:
    progress = record(RUNNING, SUCCEEDED, RUNNING, PENDING)
    found = seen(Snapshot(claimed=True, alive=False, cancelled=cancelled, progress=progress))
    assert [task.state for task in found.tasks] == expected


def test_a_lost_run_says_so() -> None:
    found = seen(Snapshot(claimed=True, alive=False, cancelled=False, progress=record(RUNNING, RUNNING)))
    assert (found.error, found.tasks[0].error) == (LOST, LOST)


def test_a_run_lost_before_its_first_task_gives_its_last_words() -> None:
    found = seen(Snapshot(claimed=True, alive=False, cancelled=False, process_log="python: no such file\n"))
    assert found.error == f"{LOST}: python: no such file"


def test_a_run_that_failed_before_any_task_gives_its_own_reason() -> None:
    result = record(FAILED, SKIPPED, error="TypeError: no such parameter")
    found = seen(Snapshot(claimed=True, alive=False, cancelled=False, result=result))
    assert found.error == "TypeError: no such parameter"


@pytest.mark.parametrize(("code", "reason"), [(-9, "killed by SIGKILL"), (137, "killed by SIGKILL"), (3, "boom")])
def test_a_failed_task_says_why(code: int, reason: str) -> None:
    task = TaskRecord(name="train", state=FAILED, exit_code=code)
    result = RunRecord(format=1, state=FAILED, error="inner task failed", tasks=(task,))
    logs = {"train": "Traceback (most recent call last):\n  File\nboom"}
    found = seen(Snapshot(claimed=True, alive=False, cancelled=False, result=result, failure_logs=logs))
    assert found.error == f"task train failed: {reason}"


def test_a_task_that_fails_in_silence_gives_its_exit_code() -> None:
    task = TaskRecord(name="train", state=FAILED, exit_code=3)
    result = RunRecord(format=1, state=FAILED, error="", tasks=(task,))
    found = seen(Snapshot(claimed=True, alive=False, cancelled=False, result=result))
    assert found.error == "task train failed: exit code 3, and nothing in its log"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ("Traceback (most recent call last):\n  File x\n    raise\nValueError: bad\n", "ValueError: bad"),
        ("Traceback (most recent call last):\n  File x\nValueError: two\nlines\n", "ValueError: two\nlines"),
        (
            "Traceback (most recent call last):\n  a\nK: 1\n\nTraceback (most recent call last):\n  b\nE: 2",
            "E: 2",
        ),
        ("Traceback (most recent call last):\n  cut off", "cut off"),
    ],
)
def test_the_reason_is_what_the_program_said_last(log: str, reason: str) -> None:
    assert failure_reason(log) == reason


@pytest.mark.parametrize("name", ["../other", "a/b", "", ".hidden", "a b"])
def test_names_that_would_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TaskRecord(name=name, state=SUCCEEDED)
