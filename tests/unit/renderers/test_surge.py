"""How pods are replaced, by the room that is left for one more."""

from __future__ import annotations

from decimal import Decimal

import pytest

from intents.checks.amounts import CPUS, MEMORY, Resource
from intents.tree import Tree
from renderers.live import live_deployment
from renderers.rendering import render_unit, sources
from renderers.surge import Decision, Room, Strategy, decisions
from tests.fixtures.serving import SCORING, on_gpus, situations, surges
from tests.fixtures.trees import DEPLOYMENT, FRAUD, ROLLOUT, V1, document, small_specs

L4 = Resource("gpus", "nvidia-l4")
OTHER = "tenants/acme/projects/fraud/deployments/other.yaml"
OTHER_ROLLOUT = "tenants/acme/projects/fraud/deployments/other.rollout.yaml"


def decided(tree: Tree) -> dict[str, Decision]:
    live = live_deployment(tree, SCORING)
    assert live is not None
    return decisions(tree, live)


@pytest.mark.parametrize(
    ("name", "strategy", "manifest"),
    [
        ("gpu-surge", Strategy.SURGE, {"maxSurge": 1, "maxUnavailable": 0}),
        ("gpu-in-place", Strategy.IN_PLACE, {"maxSurge": 0, "maxUnavailable": 1}),
        ("gpu-own-headroom", Strategy.OWN_HEADROOM, {"maxSurge": 1, "maxUnavailable": "50%"}),
        ("gpu-recreate", Strategy.RECREATE, None),
    ],
)
def test_pods_are_replaced_as_the_room_allows(
    name: str, strategy: Strategy, manifest: dict[str, int | str] | None
) -> None:
    tree = surges()[name]
    assert decided(tree)["v1"].strategy is strategy
    service = next(each for each in render_unit(tree, SCORING).values() if each["kind"] == "InferenceService")
    expected = {"type": "RollingUpdate", "rollingUpdate": manifest} if manifest else {"type": "Recreate"}
    assert service["spec"]["predictor"]["deploymentStrategy"] == expected


def test_the_arithmetic_is_told() -> None:
    """Two pods of one GPU, 2 CPUs and 4 GiB; the tenant has 64 CPUs, the project 16 GiB and as many GPUs as it uses."""
    decision = decided(surges()["gpu-in-place"])["v1"]
    assert decision.rooms == (
        Room(CPUS, Decimal(2), Decimal(4), Decimal(64), "tenant"),
        Room(MEMORY, Decimal(4 * 2**30), Decimal(8 * 2**30), Decimal(16 * 2**30), "project"),
        Room(L4, Decimal(1), Decimal(2), Decimal(2), "project"),
    )
    assert decision.explanation == (
        "maxSurge 0, maxUnavailable 1, for one pod more: "
        "cpus: 2 needed, 60 left (tenant 64 - 4 used); "
        "memory: 4Gi needed, 8Gi left (project 16Gi - 8Gi used); "
        "nvidia-l4: 1 needed, 0 left (project 2 - 2 used)"
    )


def test_without_limits_there_is_room() -> None:
    decision = decided(situations()["moved"])["v2"]
    assert decision.strategy is Strategy.SURGE
    assert decision.explanation == "maxSurge 1, maxUnavailable 0, for one pod more: nothing limits the project"


def test_the_tightest_limit_counts() -> None:
    """The project may use 8 of the type, its tenant 4, which the cluster has as well."""
    (room,) = [
        each for each in decided(on_gpus(replicas={"min": 1, "max": 1}, quota=8))["v1"].rooms if each.resource == L4
    ]
    assert (room.limit, room.level) == (Decimal(4), "tenant")


def test_a_type_that_no_quota_names_has_no_room() -> None:
    tree = on_gpus(replicas={"min": 1, "max": 1}, quota=2).advance({FRAUD: document(FRAUD, {"cluster": "local"})})
    (room,) = [each for each in decided(tree)["v1"].rooms if each.resource == L4]
    assert (room.limit, room.level) == (Decimal(0), "project")


def test_other_deployments_of_the_project_take_room_and_are_sources() -> None:
    alone = on_gpus(replicas={"min": 1, "max": 1}, quota=2)
    version = {**V1, "replicas": {"max": 1}, "resources": {"gpus": {"nvidia-l4": 1}}}
    other = {**small_specs()[DEPLOYMENT], "versions": [version]}
    crowded = alone.advance(
        {
            OTHER: document(OTHER, other),
            OTHER_ROLLOUT: document(OTHER_ROLLOUT, {**small_specs()[ROLLOUT], "live": [{**version, "weight": 100}]}),
        }
    )
    assert decided(alone)["v1"].strategy is Strategy.SURGE
    assert decided(crowded)["v1"].strategy is Strategy.RECREATE
    assert {OTHER, OTHER_ROLLOUT} <= set(sources(crowded, SCORING))


def test_nothing_of_the_pods_follows_from_the_room() -> None:
    """Of the InferenceService, the strategy alone: KServe keeps it outside the pods' template."""
    before, after = (
        next(each for each in render_unit(tree, SCORING).values() if each["kind"] == "InferenceService")
        for tree in (on_gpus(replicas={"min": 2, "max": 2}, quota=quota) for quota in (2, 3))
    )
    assert before["spec"]["predictor"].pop("deploymentStrategy") != after["spec"]["predictor"].pop("deploymentStrategy")
    assert before == after
