from __future__ import annotations

from typing import Any

import pytest

from renderers.rendering import render_cluster
from renderers.semantics import Runtimes, semantic_complaints
from tests.fixtures.custom_resources import complaints
from tests.fixtures.policy_objects import carrying, inference_service, pod_spec, train_job
from tests.fixtures.serving import SCORING, situations
from tests.fixtures.tenancy import platform_trees
from tests.fixtures.workloads import TRAINING, workload_tree

KNOWN = Runtimes.of([{"kind": "ClusterTrainingRuntime", "metadata": {"name": "ordain-torch"}}])
TRITON = {"modelFormat": {"name": "triton"}}


def told(manifest: dict[str, Any]) -> list[str]:
    return [str(each) for each in semantic_complaints(manifest, KNOWN)]


def model(**more: Any) -> dict[str, Any]:
    return inference_service(predictor={"model": {**TRITON, **more}})


def in_mode(mode: str, **more: Any) -> dict[str, Any]:
    service = inference_service(**more)
    service["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": mode}
    return service


def route(matches: list[dict[str, Any]], rewrite: str) -> dict[str, Any]:
    filters = [{"type": "URLRewrite", "urlRewrite": {"path": {"type": rewrite}}}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "one", "namespace": "a"},
        "spec": {"rules": [{"matches": matches, "filters": filters}]},
    }


PREFIX, EXACT = ({"path": {"type": kind, "value": "/"}} for kind in ("PathPrefix", "Exact"))


@pytest.mark.parametrize(
    "manifest",
    [
        model(),
        model(runtime="kserve-tritonserver", resources={"requests": {"cpu": "500m"}, "limits": {"cpu": 1}}),
        inference_service(predictor={"sklearn": {}}),
        inference_service(predictor={"containers": [{"name": "own", "image": "a/b"}]}),
        inference_service(predictor={"model": TRITON, "containers": [{"name": "transformer-container"}]}),
        in_mode("Standard"),
        in_mode("Knative", canary=[{"predictor": {"model": TRITON}}]),
        train_job(env=[{"name": "MASTER_ADDR", "value": "x"}], resourcesPerNode={"limits": {"cpu": "1"}}),
        route([PREFIX], "ReplacePrefixMatch"),
        route([EXACT, PREFIX], "ReplaceFullPath"),
        carrying("Deployment", pod_spec()),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"resources": "none"}},
    ],
)
def test_what_comes_up_is_left_alone(manifest: dict[str, Any]) -> None:
    assert told(manifest) == []


NO_AMOUNT = "is no quantity: a number such as 1, 500m, 2Gi"
NO_FORMAT = "modelFormat: it has no name: the model is never served"
TOGETHER = "model and sklearn together: one of them wins without a word (keep model)"
NO_RUNTIME = "there is no runtime `kserve-tritonsever` (did you mean `kserve-tritonserver`?)"
NO_MODE = "KServe has no mode `Standart` (did you mean `Standard`?)"
NO_TRAFFIC = (
    "spec.canary: it moves no traffic in mode Standard of KServe 0.20: both routes keep the stable Service"
    " (use an InferenceService a version and an HTTPRoute of your own)"
)
ONE_MATCH = (
    "spec.rules.0.matches: ReplacePrefixMatch wants exactly one match, of type PathPrefix"
    " (exact paths take ReplaceFullPath)"
)
LOTS = {"containers": [{"name": "a", "resources": {"requests": {"memory": "lots"}}}]}

BAD = [
    (inference_service(predictor={"model": {}}), f"spec.predictor.model.{NO_FORMAT}"),
    (inference_service(predictor={"model": TRITON, "sklearn": {}}), f"spec.predictor.sklearn: {TOGETHER}"),
    (
        inference_service(predictor={"minReplicas": 1}),
        "spec.predictor: nothing serves: neither a model nor containers (add `model`)",
    ),
    (model(runtime="kserve-tritonsever"), f"spec.predictor.model.runtime: {NO_RUNTIME}"),
    (
        inference_service(predictor={"model": TRITON}, canary=[{"predictor": {"model": {}}}]),
        f"spec.canary.0.predictor.model.{NO_FORMAT}",
    ),
    (in_mode("Standart"), f"metadata.annotations.serving.kserve.io/deploymentMode: {NO_MODE}"),
    (in_mode("Standard", canary=[{"predictor": {"model": TRITON}}]), NO_TRAFFIC),
    (model(resources={"limits": {"cpu": "-1"}}), f"spec.predictor.model.resources.limits.cpu: `-1` {NO_AMOUNT}"),
    (
        model(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "1500m"}}),
        "spec.predictor.model.resources.requests.cpu: more is requested than the limit allows",
    ),
    (
        carrying("CronJob", LOTS),
        f"spec.jobTemplate.spec.template.spec.containers.0.resources.requests.memory: `lots` {NO_AMOUNT}",
    ),
    (
        train_job(resourcesPerNode={"limits": {"memory": "-4Gi"}}),
        f"spec.trainer.resourcesPerNode.limits.memory: `-4Gi` {NO_AMOUNT}",
    ),
    (
        train_job(env=[{"name": "A"}, {"name": "PET_NNODES", "value": "9"}]),
        "spec.trainer.env.1.name: PET_NNODES is Trainer's to set (remove it)",
    ),
    (
        {**train_job(), "spec": {"runtimeRef": {"name": "ordain-torh"}}},
        "spec.runtimeRef.name: there is no runtime `ordain-torh` (did you mean `ordain-torch`?)",
    ),
    (route([PREFIX, PREFIX], "ReplacePrefixMatch"), ONE_MATCH),
    (route([EXACT], "ReplacePrefixMatch"), ONE_MATCH),
]


@pytest.mark.parametrize(("manifest", "complaint"), BAD, ids=[complaint for _, complaint in BAD])
def test_what_is_admitted_and_never_comes_up_is_told(manifest: dict[str, Any], complaint: str) -> None:
    assert told(manifest) == [complaint]


@pytest.mark.parametrize(
    "manifest",
    [
        inference_service(predictor={"model": {}}),
        inference_service(predictor={"model": TRITON, "sklearn": {}}),
        model(runtime="none"),
        model(resources={"limits": {"cpu": "-1"}}),
    ],
)
def test_the_definitions_do_not_hold_these_rules(manifest: dict[str, Any]) -> None:
    assert complaints(manifest) == []
    assert told(manifest)


def test_every_complaint_is_told() -> None:
    assert len(told(inference_service(predictor={"model": {"runtime": "none"}, "sklearn": {}}))) == 3


@pytest.mark.parametrize("broken", [{}, {"spec": None}, {"spec": []}, {"spec": {"predictor": "x", "canary": [1]}}])
@pytest.mark.parametrize("kind", ["InferenceService", "TrainJob", "HTTPRoute"])
def test_no_manifest_is_too_broken_to_be_told(kind: str, broken: dict[str, Any]) -> None:
    whole = {"InferenceService": inference_service(), "TrainJob": train_job(), "HTTPRoute": route([], "")}[kind]
    semantic_complaints({"apiVersion": whole["apiVersion"], "kind": kind, **broken}, KNOWN)


def test_what_is_rendered_keeps_to_the_rules() -> None:
    for tree in (workload_tree(), TRAINING["on-gpus"], *situations().values(), *platform_trees().values()):
        rendered = list(render_cluster(tree, SCORING.cluster).values())
        found = Runtimes.of(rendered)
        assert [each for manifest in rendered for each in semantic_complaints(manifest, found)] == []
