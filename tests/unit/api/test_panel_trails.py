from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from api.panel.trails import Stop, trail
from intents.documents import Document, of_spec
from intents.kinds import ModelDeploymentSpec, ModelVersionSpec, RolloutSpec
from reconciler.planning.events import Event, Fact
from tests.fixtures.panel_world import FRAUD, model_spec
from tests.fixtures.trees import document

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MODEL = model_spec("train-1", "c" * 40, "a")
VERSION = {"name": "v1", "model": "fraud@1", "digest": MODEL["digest"]}


def deployment() -> Document[ModelDeploymentSpec]:
    spec = {"runtime": "triton", "versions": [VERSION], "traffic": {"replace": {}}}
    found = of_spec(document(f"{FRAUD}/deployments/fraud.yaml", spec), ModelDeploymentSpec)
    assert found
    return found


def rollout() -> Document[RolloutSpec]:
    spec = {"of": deployment().blob, "live": [{**VERSION, "weight": 100}]}
    found = of_spec(document(f"{FRAUD}/deployments/fraud.rollout.yaml", spec), RolloutSpec)
    assert found
    return found


def model() -> Document[ModelVersionSpec]:
    found = of_spec(document(f"{FRAUD}/models/fraud/1.yaml", MODEL), ModelVersionSpec)
    assert found
    return found


def event(sequence: int, noun: str, verb: str, commit: str, name: str = "fraud", **data: Any) -> Event:
    fact = Fact("acme", "fraud", noun, verb, name, commit, data)
    return Event(UUID(int=sequence), sequence, START + timedelta(seconds=sequence), fact)


def at(sequence: int) -> datetime:
    return START + timedelta(seconds=sequence)


def test_what_never_was_rolled_out_has_only_its_commit() -> None:
    committed = event(1, "deployment", "committed", "d" * 40, blob=deployment().blob)
    assert trail(deployment(), None, None, [committed]) == (Stop("commit", "deployment", "d" * 40, at(1)),)


def test_without_events_the_lineage_is_still_known() -> None:
    assert trail(deployment(), rollout(), model(), []) == (
        Stop("commit", "run asked", "c" * 40),
        Stop("run", "run", "train-1"),
        Stop("model", "model", "fraud@1"),
    )


def test_each_station_is_of_the_documents_as_they_are_now() -> None:
    blob = rollout().blob
    events = [
        event(9, "deployment", "ready", "9" * 40, rollout=blob),
        event(8, "deployment", "rendered", "8" * 40, rollout=blob, rendered="e" * 40),
        event(7, "rollout", "stepped", "7" * 40, blob=blob),
        event(6, "deployment", "committed", "6" * 40, blob=deployment().blob),
        event(3, "deployment", "ready", "3" * 40, rollout="f" * 40),
        event(2, "deployment", "committed", "2" * 40, blob="0" * 40),
        event(1, "deployment", "committed", "1" * 40, name="other", blob=deployment().blob),
    ]
    assert trail(deployment(), rollout(), model(), events)[3:] == (
        Stop("commit", "deployment", "6" * 40, at(6)),
        Stop("commit", "rollout", "7" * 40, at(7)),
        Stop("commit", "rendered", "e" * 40, at(8)),
        Stop("ready", "ready", at=at(9)),
    )


def test_what_was_said_twice_counts_from_the_first_time() -> None:
    twice = [event(sequence, "deployment", "ready", "9" * 40, rollout=rollout().blob) for sequence in (5, 4)]
    assert trail(deployment(), rollout(), None, twice) == (Stop("ready", "ready", at=at(4)),)
