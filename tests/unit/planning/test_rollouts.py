"""The replace walk, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from intents.kinds.model_deployment import ModelDeploymentSpec
from intents.kinds.rollout import LiveVersion, RolloutSpec
from reconciler.planning.observations import ServerState
from reconciler.planning.rollouts import Step, arrived, next_step, roll_back
from reconciler.planning.serving import Served, ServedVersion
from tests.fixtures.trees import V1, V2, version_spec

BLOB, OTHER = "a" * 40, "b" * 40
V3 = version_spec("v3", "fraud@3", "3")


def asked(version: dict[str, Any], **more: Any) -> ModelDeploymentSpec:
    spec = {"runtime": "triton", "versions": [version], "traffic": {"replace": {}}, **more}
    return ModelDeploymentSpec.model_validate(spec)


def live(*weighted: tuple[dict[str, Any], int]) -> tuple[LiveVersion, ...]:
    return tuple(LiveVersion.model_validate({**version, "weight": weight}) for version, weight in weighted)


def rollout(*weighted: tuple[dict[str, Any], int], of: str = BLOB, **more: Any) -> RolloutSpec:
    return RolloutSpec(of=of, live=live(*weighted), **more)


def served(spec: RolloutSpec, *, routed: bool = True, busy: str = "", down: str = "") -> Served:
    versions = tuple(
        ServedVersion(
            item.name,
            item.model,
            item.digest,
            item.weight,
            ServerState.FAILED if item.name == down else ServerState.READY,
            address="127.0.0.1:1",
            active_requests=3 if item.name == busy else 0,
        )
        for item in spec.live
    )
    return Served("acme", "fraud", "scoring", BLOB, "r" * 40, versions, routed)


def weights(step: Step | None) -> list[tuple[str, int]] | None:
    return None if step is None else [(item.name, item.weight) for item in step.rollout.live]


def names(versions: tuple[LiveVersion, ...]) -> list[str]:
    return [item.name for item in versions]


def test_the_first_version_is_served_at_once() -> None:
    step = next_step(asked(V1), BLOB, None, None)
    assert weights(step) == [("v1", 100)]
    assert step is not None
    assert (step.rollout.of, step.rollout.step, step.rollout.last_good, step.rollout.hold) == (BLOB, 0, (), None)


def test_a_settled_rollout_rests() -> None:
    spec = rollout((V1, 100))
    assert next_step(asked(V1), BLOB, spec, served(spec)) is None


def test_the_whole_walk() -> None:
    now = rollout((V1, 100), of=OTHER)
    expected: list[list[tuple[str, int]]] = [
        [("v1", 100), ("v2", 0)],
        [("v1", 0), ("v2", 100)],
        [("v2", 100)],
    ]
    for number, wanted in enumerate(expected):
        step = next_step(asked(V2), BLOB, now, served(now))
        assert weights(step) == wanted
        assert step is not None
        assert step.rollout.step == number
        assert names(step.rollout.last_good) == ["v1"], "there is a way back from the first step on"
        now = step.rollout
    assert next_step(asked(V2), BLOB, now, served(now)) is None


def test_nothing_moves_while_another_document_is_served() -> None:
    for spec in (rollout((V1, 100), (V2, 0)), rollout((V1, 0), (V2, 100))):
        assert next_step(asked(V2), BLOB, spec, None) is None


def test_traffic_waits_for_the_new_version() -> None:
    spec = rollout((V1, 100), (V2, 0))
    assert next_step(asked(V2), BLOB, spec, served(spec, down="v2")) is None


def test_a_version_that_never_came_up_is_left_for_one_that_did() -> None:
    spec = rollout((V1, 100), (V2, 0))
    assert weights(next_step(asked(V2), BLOB, spec, served(spec, routed=False, down="v1"))) == [
        ("v1", 0),
        ("v2", 100),
    ]


@pytest.mark.parametrize("state", [{"busy": "v1"}, {"routed": False}, {"down": "v2"}])
def test_the_old_version_stays_until_it_is_drained_and_the_new_one_serves(state: dict[str, Any]) -> None:
    spec = rollout((V1, 0), (V2, 100))
    assert next_step(asked(V2), BLOB, spec, served(spec, **state)) is None


def test_replicas_change_in_place() -> None:
    more = {**V1, "replicas": {"min": 2, "max": 5}}
    now = rollout((V1, 100), of=OTHER, last_good=live((V2, 100)))
    step = next_step(asked(more), BLOB, now, served(now))
    assert step is not None
    assert weights(step) == [("v1", 100)]
    assert step.rollout.live[0].replicas.max == 5
    assert names(step.rollout.last_good) == ["v2"], "what was good before stays good"
    assert next_step(asked(more), BLOB, step.rollout, served(step.rollout)) is None


def test_replicas_of_the_version_that_is_coming_change_in_place() -> None:
    more = {**V2, "replicas": {"min": 2, "max": 5}}
    now = rollout((V1, 100), (V2, 0), of=OTHER, last_good=live((V1, 100)))
    step = next_step(asked(more), BLOB, now, served(now))
    assert step is not None
    assert weights(step) == [("v1", 100), ("v2", 0)]
    assert step.rollout.live[1].replicas.max == 5
    assert names(step.rollout.last_good) == ["v1"]


def test_a_third_version_takes_the_place_of_the_one_that_was_coming() -> None:
    now = rollout((V1, 100), (V2, 0), of=OTHER)
    assert weights(next_step(asked(V3), BLOB, now, served(now, down="v2"))) == [("v1", 100), ("v3", 0)]


@pytest.mark.parametrize("seen", ["unknown", "busy"])
def test_a_version_that_still_answers_is_kept_when_the_target_changes(seen: str) -> None:
    now = rollout((V1, 0), (V2, 100), of=OTHER)
    found = served(now, busy="v1") if seen == "busy" else None
    step = next_step(asked(V3), BLOB, now, found)
    assert weights(step) == [("v1", 0), ("v2", 100), ("v3", 0)]
    assert step is not None
    assert names(step.rollout.last_good) == ["v2"]


def test_turning_back_in_the_middle_needs_no_new_server() -> None:
    now = rollout((V1, 0), (V2, 100), of=OTHER)
    step = next_step(asked(V1), BLOB, now, served(now, busy="v1"))
    assert weights(step) == [("v1", 0), ("v2", 100)]
    assert step is not None
    assert weights(next_step(asked(V1), BLOB, step.rollout, served(step.rollout))) == [("v1", 100), ("v2", 0)]


@pytest.mark.parametrize("moved", [0, 100])
def test_rolling_back_while_the_last_good_one_lives_is_one_step(moved: int) -> None:
    now = rollout((V1, 100 - moved), (V2, moved), last_good=live((V1, 100)), step=3)
    step = roll_back(now, BLOB, "errors", "ana@acme.example")
    assert step is not None
    assert weights(step) == [("v1", 100), ("v2", 0)]
    assert step.rollout.step == 4
    assert step.rollout.hold is not None
    assert (step.rollout.hold.reason, step.rollout.hold.by) == ("errors", "ana@acme.example")
    after = next_step(asked(V2), BLOB, step.rollout, served(step.rollout))
    assert weights(after) == [("v1", 100)], "the bad one goes, and the hold stands"
    assert after is not None
    assert after.rollout.hold == step.rollout.hold
    assert next_step(asked(V2), BLOB, after.rollout, served(after.rollout)) is None


def test_rolling_back_to_one_that_is_gone_walks_there() -> None:
    now = rollout((V2, 100), last_good=live((V1, 100)))
    step = roll_back(now, BLOB, "errors", "ana")
    assert weights(step) == [("v2", 100), ("v1", 0)]
    assert step is not None
    assert next_step(asked(V2), BLOB, step.rollout, served(step.rollout, down="v1")) is None
    for wanted in ([("v2", 0), ("v1", 100)], [("v1", 100)]):
        step = next_step(asked(V2), BLOB, step.rollout, served(step.rollout))
        assert weights(step) == wanted
        assert step is not None
        assert step.rollout.hold is not None
    assert next_step(asked(V2), BLOB, step.rollout, served(step.rollout)) is None


def test_a_second_word_does_not_move_traffic_to_a_version_that_only_starts() -> None:
    step = roll_back(rollout((V2, 100), last_good=live((V1, 100))), BLOB, "errors", "ana")
    assert step is not None
    assert roll_back(step.rollout, BLOB, "again", "ana") is None


@pytest.mark.parametrize("good", [(), live((V1, 100))])
def test_there_may_be_nothing_to_go_back_to(good: tuple[LiveVersion, ...]) -> None:
    assert roll_back(rollout((V1, 100), last_good=good), BLOB, "errors", "ana") is None


def test_rolling_back_before_the_walk_began_keeps_what_serves() -> None:
    now = rollout((V1, 100), of=OTHER, last_good=live((V3, 100)))
    step = roll_back(now, BLOB, "not this one", "ana")
    assert weights(step) == [("v1", 100)]
    assert step is not None
    assert step.rollout.of == BLOB
    assert next_step(asked(V2), BLOB, step.rollout, served(step.rollout)) is None


def test_a_new_deployment_clears_the_hold_and_starts_from_what_is_live() -> None:
    step = roll_back(rollout((V1, 0), (V2, 100), of=OTHER, last_good=live((V1, 100))), OTHER, "errors", "ana")
    assert step is not None
    moving = next_step(asked(V3), BLOB, step.rollout, served(step.rollout))
    assert weights(moving) == [("v1", 100), ("v3", 0)]
    assert moving is not None
    assert (moving.rollout.of, moving.rollout.hold) == (BLOB, None)


def test_a_hold_without_anything_good_stands_still() -> None:
    spec = rollout((V1, 100), (V2, 0), hold={"reason": "by hand", "by": "ana"})
    assert next_step(asked(V2), BLOB, spec, served(spec)) is None


def test_arrived_is_alone_answering_and_what_was_asked_for() -> None:
    there = rollout((V2, 100), last_good=live((V1, 100)))
    assert arrived(asked(V2), BLOB, there, served(there))
    assert not arrived(asked(V2), BLOB, there, served(there, down="v2"))
    assert not arrived(asked(V2), BLOB, there, served(there, routed=False))
    assert not arrived(asked(V2), BLOB, there, None), "what is served was rendered from another rollout"
    assert not arrived(asked(V2), BLOB, None, None)
    assert not arrived(asked(V3), OTHER, there, served(there)), "asked anew, and no step taken yet"
    on_its_way = rollout((V1, 0), (V2, 100))
    assert not arrived(asked(V2), BLOB, on_its_way, served(on_its_way))


def test_under_a_hold_arrived_is_back_at_what_was_good() -> None:
    step = roll_back(rollout((V1, 0), (V2, 100), last_good=live((V1, 100))), BLOB, "errors", "ana")
    assert step is not None
    assert not arrived(asked(V2), BLOB, step.rollout, served(step.rollout))
    back = rollout((V1, 100), last_good=live((V1, 100)), hold=step.rollout.hold)
    assert arrived(asked(V2), BLOB, back, served(back))
