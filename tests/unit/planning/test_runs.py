"""The run state machine: the whole table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import pytest

from reconciler.planning.observations import Delivery, EngineRunId, EngineState, OutputArtifact, RunObservation
from reconciler.planning.runs import (
    SETTLED_SECONDS,
    AwaitRegistration,
    Cancel,
    Claim,
    Finish,
    LookAgain,
    Record,
    Register,
    Registration,
    RegistrationState,
    Rest,
    RunAction,
    RunRow,
    RunState,
    RunUid,
    Submit,
    next_action,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
UNASKED = Registration(RegistrationState.UNASKED)
MODEL = OutputArtifact("train", "model", "s3://artifacts/x/", "system.Model")
METRICS = OutputArtifact("train", "metrics", "s3://artifacts/y", "system.Metrics")

RUN = RunRow(
    uid=RunUid(UUID(int=7)),
    attempt=1,
    tenant="acme",
    project="fraud",
    name="first",
    path="tenants/acme/projects/fraud/runs/2026-11-23/first.yaml",
    commit="c" * 40,
    template="train@1.0.0",
    parameters={},
    register_model="",
    register_output="",
    cancelled=False,
    state=RunState.CREATED,
    fence=1,
)
CREATED = RUN
REGISTERING = replace(RUN, state=RunState.REGISTERING, register_model="fraud", outputs=(METRICS, MODEL))


def seen(state: EngineState, error: str = "") -> RunObservation:
    return RunObservation(EngineRunId("r"), NOW, state=state, error=error)


ABSENT = RunObservation(EngineRunId("r"), NOW, absent=True)
WITHDRAWN = replace(ABSENT, withdrawn=True)
AT_ENGINE = (RunState.SUBMITTING, RunState.SUBMITTED, RunState.RUNNING)
BEFORE_SUBMISSION = Finish(RunState.CANCELLED, "cancelled before submission")
LOST = Finish(RunState.FAILED, "lost: the engine no longer knows the run it had taken")


def at(state: RunState, **more: object) -> RunRow:
    return replace(RUN, state=state, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("cancelled", "expected"), [(False, Claim()), (True, BEFORE_SUBMISSION)])
def test_a_created_run_is_claimed_or_cancelled(cancelled: bool, expected: RunAction) -> None:
    assert next_action(at(RunState.CREATED, cancelled=cancelled), None, UNASKED) == expected


@pytest.mark.parametrize("observation", [None, ABSENT])
@pytest.mark.parametrize(
    ("state", "cancelled", "expected"),
    [
        (RunState.SUBMITTING, False, Submit()),
        (RunState.SUBMITTING, True, BEFORE_SUBMISSION),
        (RunState.SUBMITTED, False, LOST),
        (RunState.SUBMITTED, True, LOST),
        (RunState.RUNNING, False, LOST),
        (RunState.RUNNING, True, LOST),
    ],
)
def test_a_run_that_the_engine_does_not_know(
    state: RunState, cancelled: bool, expected: RunAction, observation: RunObservation | None
) -> None:
    assert next_action(at(state, cancelled=cancelled), observation, UNASKED) == expected


@pytest.mark.parametrize(
    ("state", "cancelled", "expected"),
    [
        (RunState.SUBMITTING, False, Submit()),
        (RunState.SUBMITTING, True, BEFORE_SUBMISSION),
        (RunState.SUBMITTED, False, Submit(again=True)),
        (RunState.SUBMITTED, True, Finish(RunState.CANCELLED, "cancelled")),
        (RunState.RUNNING, False, Submit(again=True)),
        (RunState.RUNNING, True, Finish(RunState.CANCELLED, "cancelled")),
    ],
)
def test_a_run_that_the_engine_gave_back_begins_again(state: RunState, cancelled: bool, expected: RunAction) -> None:
    assert next_action(at(state, cancelled=cancelled), WITHDRAWN, UNASKED) == expected


UNDECIDED = "the engine may still take a submission that it did not answer"


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("state", AT_ENGINE)
def test_nothing_is_done_while_it_is_not_settled_whether_the_engine_has_a_run(state: RunState, cancelled: bool) -> None:
    halfway = replace(seen(EngineState.PENDING), unsettled="a Workflow without a row")
    assert next_action(at(state, cancelled=cancelled), halfway, UNASKED) == LookAgain("a Workflow without a row")


@pytest.mark.parametrize(
    ("delivery", "ago", "cancelled", "expected"),
    [
        (Delivery.EXACTLY_ONCE, 0.1, False, Submit()),
        (Delivery.EXACTLY_ONCE, 0.1, True, BEFORE_SUBMISSION),
        (Delivery.AT_LEAST_ONCE, None, False, Submit()),
        (Delivery.AT_LEAST_ONCE, 10.0, False, LookAgain(UNDECIDED, SETTLED_SECONDS - 10)),
        (Delivery.AT_LEAST_ONCE, 10.0, True, LookAgain(UNDECIDED, SETTLED_SECONDS - 10)),
        (Delivery.AT_LEAST_ONCE, SETTLED_SECONDS, False, Submit()),
        (Delivery.AT_LEAST_ONCE, SETTLED_SECONDS, True, BEFORE_SUBMISSION),
    ],
)
def test_an_unanswered_submission_is_repeated_at_once_only_where_the_engine_refuses_a_second(
    delivery: Delivery, ago: float | None, cancelled: bool, expected: RunAction
) -> None:
    run = at(RunState.SUBMITTING, cancelled=cancelled, delivery=delivery, submitted_ago=ago, submissions=1)
    assert next_action(run, ABSENT, UNASKED) == expected


@pytest.mark.parametrize("state", AT_ENGINE)
@pytest.mark.parametrize(
    ("engine", "cancelled", "expected"),
    [
        (seen(EngineState.PENDING), False, Record(RunState.SUBMITTED, seen(EngineState.PENDING))),
        (seen(EngineState.PENDING), True, Cancel()),
        (seen(EngineState.RUNNING), False, Record(RunState.RUNNING, seen(EngineState.RUNNING))),
        (seen(EngineState.RUNNING), True, Cancel()),
        (seen(EngineState.SUCCEEDED), False, Finish(RunState.SUCCEEDED, seen=seen(EngineState.SUCCEEDED))),
        (seen(EngineState.SUCCEEDED), True, Finish(RunState.SUCCEEDED, seen=seen(EngineState.SUCCEEDED))),
        (
            seen(EngineState.FAILED, "task train failed"),
            False,
            Finish(RunState.FAILED, "task train failed", seen(EngineState.FAILED, "task train failed")),
        ),
        (
            seen(EngineState.FAILED),
            True,
            Finish(RunState.FAILED, "the engine gave no reason", seen(EngineState.FAILED)),
        ),
        (
            seen(EngineState.SKIPPED),
            False,
            Finish(RunState.FAILED, "the engine gave no reason", seen(EngineState.SKIPPED)),
        ),
        (
            seen(EngineState.CANCELLED),
            True,
            Finish(RunState.CANCELLED, "cancelled", seen(EngineState.CANCELLED)),
        ),
        (
            seen(EngineState.CANCELLED, "by hand"),
            False,
            Finish(RunState.CANCELLED, "by hand", seen(EngineState.CANCELLED, "by hand")),
        ),
    ],
)
def test_a_run_that_the_engine_knows(
    state: RunState, engine: RunObservation, cancelled: bool, expected: RunAction
) -> None:
    assert next_action(at(state, cancelled=cancelled), engine, UNASKED) == expected


@pytest.mark.parametrize("state", AT_ENGINE)
def test_a_run_that_registers_goes_on_to_that(state: RunState) -> None:
    done = seen(EngineState.SUCCEEDED)
    assert next_action(at(state, register_model="fraud"), done, UNASKED) == Record(RunState.REGISTERING, done)


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize(
    ("registration", "expected"),
    [
        (UNASKED, Register(MODEL)),
        (Registration(RegistrationState.WAITING), AwaitRegistration()),
        (Registration(RegistrationState.COMMITTED, "c", "models/fraud/1.yaml"), Finish(RunState.SUCCEEDED)),
        (
            Registration(RegistrationState.REFUSED, reason="digest-mismatch: no"),
            Finish(RunState.FAILED, "the model was not registered: digest-mismatch: no"),
        ),
    ],
)
def test_registration(registration: Registration, expected: RunAction, cancelled: bool) -> None:
    assert next_action(replace(REGISTERING, cancelled=cancelled), None, registration) == expected


@pytest.mark.parametrize(
    ("outputs", "wanted", "expected"),
    [
        ((MODEL,), "", Register(MODEL)),
        ((MODEL,), "model", Register(MODEL)),
        ((replace(MODEL, output="a"), replace(MODEL, output="b")), "b", Register(replace(MODEL, output="b"))),
    ],
)
def test_the_output_that_is_registered(outputs: tuple[OutputArtifact, ...], wanted: str, expected: RunAction) -> None:
    assert next_action(replace(REGISTERING, outputs=outputs, register_output=wanted), None, UNASKED) == expected


@pytest.mark.parametrize(
    ("outputs", "wanted", "found"),
    [
        ((), "", "none"),
        ((METRICS,), "metrics", "none"),
        ((MODEL,), "other", "none"),
        ((replace(MODEL, output="a"), replace(MODEL, output="b")), "", "train.a, train.b"),
    ],
)
def test_no_single_model_fails_the_run_saying_what_there_is(
    outputs: tuple[OutputArtifact, ...], wanted: str, found: str
) -> None:
    action = next_action(replace(REGISTERING, outputs=outputs, register_output=wanted), None, UNASKED)
    assert isinstance(action, Finish)
    assert action.state is RunState.FAILED
    assert f"the run has {found}:" in action.reason


def test_every_pair_of_state_and_observation_has_an_answer_and_finished_runs_rest() -> None:
    engines = [None, ABSENT, WITHDRAWN, *(seen(state) for state in EngineState)]
    registrations = [Registration(state) for state in RegistrationState]
    table = product(RunState, engines, [False, True], registrations, ["", "fraud"])
    for state, engine, cancelled, registration, model in table:
        action = next_action(at(state, cancelled=cancelled, register_model=model), engine, registration)
        assert (action == Rest()) is state.terminal
        if isinstance(action, Finish):
            assert action.state.terminal
        if isinstance(action, Submit):
            assert engine is None or engine.absent
            assert action.again is (state is not RunState.SUBMITTING)
            assert state is RunState.SUBMITTING or engine is WITHDRAWN


def test_ids_follow_from_uid_and_attempt_alone() -> None:
    again = replace(RUN, commit="d" * 40, state=RunState.RUNNING, fence=9)
    other = replace(RUN, attempt=2)
    assert again.run_id == RUN.run_id != other.run_id
    assert again.registration_id == RUN.registration_id != other.registration_id
