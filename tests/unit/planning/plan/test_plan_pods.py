"""Which change of a workload restarts its pods, and which does not."""

from __future__ import annotations

from typing import Any

import pytest

from intents.tree import Tree
from reconciler.planning.plan.manifests import Pair
from reconciler.planning.plan.pods import PodAction, PodChange, PodRange, When, pod_changes
from renderers.unit import Unit, UnitKind
from tests.fixtures.changes import situations

UNIT = Unit(UnitKind.DEPLOYMENT, "main", "acme", "fraud", "card")


def service(mode: str = "Standard", labels: dict[str, str] | None = None, **predictor: Any) -> dict[str, Any]:
    metadata = {"name": "card-v1", "namespace": "acme--fraud", "labels": labels or {"team": "a"}}
    return {
        "kind": "InferenceService",
        "metadata": {**metadata, "annotations": {"serving.kserve.io/deploymentMode": mode}},
        "spec": {"predictor": {"minReplicas": 1, "maxReplicas": 3, "model": {"storageUri": "s3://a"}, **predictor}},
    }


def job(*, suspend: bool = False, image: str = "a") -> dict[str, Any]:
    metadata = {"name": "encoder", "namespace": "acme--fraud"}
    return {
        "kind": "TrainJob",
        "metadata": metadata,
        "spec": {"suspend": suspend, "trainer": {"numNodes": 2, "image": image}},
    }


def graph(weight: int) -> dict[str, Any]:
    metadata = {"name": "quote", "namespace": "acme--fraud"}
    return {"kind": "InferenceGraph", "metadata": metadata, "spec": {"nodes": {"root": {"weight": weight}}}}


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[PodChange]:
    return list(pod_changes([Pair(UNIT, "x.yaml", before, after)], Tree.empty(), When.AT_ONCE))


GPU: dict[str, Any] = {"model": {"storageUri": "s3://a", "resources": {"limits": {"nvidia.com/gpu": "1"}}}}


@pytest.mark.parametrize(
    ("before", "after", "action", "because"),
    [
        (None, service(), PodAction.START, []),
        (service(), None, PodAction.END, []),
        (service(), service(model={"storageUri": "s3://b"}), PodAction.RESTART, ["spec.predictor.model.storageUri"]),
        (service(), service(**GPU), PodAction.RESTART, ["spec.predictor.model.resources"]),
        (service(), service(labels={"team": "b"}), PodAction.RESTART, ["metadata.labels.team"]),
        (service(), service(maxReplicas=5), PodAction.SCALE, []),
        (service(), service(scaleTarget=80), None, []),
        (service(), service(deploymentStrategy={"type": "Recreate"}), None, []),
        (service("Knative"), service("Knative", canaryTrafficPercent=10), None, []),
        (service("Knative"), service("Knative", maxReplicas=5), PodAction.REVISE, ["spec.predictor.maxReplicas"]),
        (None, job(), PodAction.START, []),
        (None, job(suspend=True), None, []),
        (job(suspend=True), job(), PodAction.START, []),
        (job(), job(suspend=True), PodAction.END, []),
        (job(), job(image="b"), PodAction.REFUSED, ["spec.trainer.image"]),
        (graph(10), graph(20), PodAction.RESTART, ["spec.nodes.root.weight"]),
    ],
)
def test_pods_follow_from_what_differs(
    before: dict[str, Any] | None, after: dict[str, Any] | None, action: PodAction | None, because: list[str]
) -> None:
    found = changes(before, after)
    assert [each.action for each in found] == ([action] if action else [])
    assert [field.path for each in found for field in each.because] == because


def test_pods_are_counted_as_autoscaling_may_have_them() -> None:
    (scaled,) = changes(service(), service(minReplicas=2))
    assert (scaled.before, scaled.after) == (PodRange(1, 3), PodRange(2, 3))
    (started,) = changes(None, job())
    assert (started.before, started.after) == (None, PodRange(2, 2))


def test_other_kinds_have_no_pods_of_their_own() -> None:
    route = {"kind": "HTTPRoute", "metadata": {"name": "card", "namespace": "acme--fraud"}}
    assert changes(None, route) == []


def test_pods_that_restart_are_replaced_by_what_is_left_of_the_quotas() -> None:
    found = [each.replaced for each in situations()["gpu-move"].plan().pods if each.action is PodAction.RESTART]
    assert [each.partition(":")[0] for each in found] == [
        "maxSurge 1 within its own maximum, else maxUnavailable 50%, for one pod more"
    ]
    assert "nvidia-a100: 1 needed" in found[0]
