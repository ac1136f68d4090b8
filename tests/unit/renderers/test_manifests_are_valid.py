"""Rendered manifests satisfy the published definitions, and the rules those do not hold."""

from __future__ import annotations

from typing import Any

import pytest

from intents.names import DNS_LABEL_LIMIT
from intents.quantities import canonical_quantity
from intents.tree import Tree
from renderers.canonical import to_yaml
from renderers.rendering import render_unit, units
from renderers.serving_runtime import RUNTIME, render_serving_runtime
from renderers.storage_initializer import render_storage_initializer
from renderers.unit import Unit, UnitKind
from tests.fixtures.custom_resources import complaints, missing_defaults
from tests.fixtures.examples import example_tree
from tests.fixtures.serving import SCORING, revisions, situations, strategies
from tests.fixtures.trees import DEPLOYMENT, ROLLOUT, V1, V2

TREES = situations()
STANDARD = {name: tree for name, tree in {**TREES, **strategies()}.items() if name != "not-rolled-out"}
KNATIVE = revisions()
EVERY = {**STANDARD, **KNATIVE}
MANIFESTS = [
    pytest.param(manifest, id=f"{name}-{path}")
    for name, tree in EVERY.items()
    for path, manifest in render_unit(tree, SCORING).items()
]
EXAMPLES = [
    pytest.param(manifest, id=path)
    for cluster in ("main", "burst")
    for unit in units(example_tree(), cluster)
    if unit.kind is UnitKind.DEPLOYMENT
    for path, manifest in render_unit(example_tree(), unit).items()
]
(SERVING_RUNTIME,) = render_serving_runtime(TREES["first"], Unit(UnitKind.CLUSTER, "local"))
(STORAGE_CONTAINER,) = render_storage_initializer(TREES["first"], Unit(UnitKind.CLUSTER, "local"))


def of_kind(tree: Tree, kind: str) -> list[dict[str, Any]]:
    rendered = render_unit(tree, SCORING).values()
    return [manifest for manifest in rendered if manifest["kind"] == kind]


def rules_of(tree: Tree) -> list[dict[str, Any]]:
    return [rule for route in of_kind(tree, "HTTPRoute") for rule in route["spec"]["rules"]]


@pytest.mark.parametrize("manifest", [*MANIFESTS, *EXAMPLES, SERVING_RUNTIME, STORAGE_CONTAINER])
def test_the_published_definition_has_nothing_against_it(manifest: dict[str, Any]) -> None:
    assert complaints(manifest) == []


@pytest.mark.parametrize("manifest", [*MANIFESTS, *EXAMPLES, SERVING_RUNTIME, STORAGE_CONTAINER])
def test_the_api_server_has_no_default_to_add(manifest: dict[str, Any]) -> None:
    """A field that it adds would show as drift in every comparison."""
    assert missing_defaults(manifest) == []


def test_the_definitions_refuse_what_they_do_not_know() -> None:
    (service,) = of_kind(TREES["first"], "InferenceService")
    service["spec"]["predictor"]["model"]["replicas"] = 1
    assert complaints(service)


def test_native_kinds_are_checked_as_strictly() -> None:
    (budget,) = of_kind(TREES["first"], "PodDisruptionBudget")
    spec = budget["spec"]
    assert complaints({**budget, "spec": {**spec, "maxSurge": 1}}) == ["$.spec.maxSurge: unknown field"]
    assert complaints({**budget, "spec": {**spec, "selector": {"matchLabels": {"a": 1}}}})
    assert complaints({**budget, "spec": []})


def test_the_definitions_rules_are_held_too() -> None:
    """They stand beside the schemas, in CEL: here, that a request times out after the backend does."""
    (route,) = of_kind(TREES["first"], "HTTPRoute")
    route["spec"]["rules"][0]["timeouts"] = {"request": "1s", "backendRequest": "2s"}
    assert complaints(route) == [
        "$.spec.rules[0].timeouts: backendRequest timeout cannot be longer than request timeout",
    ]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_labels_and_names_fit(manifest: dict[str, Any]) -> None:
    metadata = manifest["metadata"]
    assert metadata["namespace"] == "acme--fraud"
    assert len(metadata["name"]) <= DNS_LABEL_LIMIT
    assert all(len(value) <= DNS_LABEL_LIMIT for value in metadata["labels"].values())
    assert all(isinstance(value, str) for value in metadata.get("annotations", {}).values())


@pytest.mark.parametrize(("name", "tree"), EVERY.items(), ids=EVERY)
def test_an_inference_service_is_in_the_stored_form(name: str, tree: Tree) -> None:
    """kubeflow.md's rules for a manifest that the API server stores exactly as it is written, and serves at all."""
    knative = name in KNATIVE
    for service in of_kind(tree, "InferenceService"):
        predictor, metadata = service["spec"]["predictor"], service["metadata"]
        model = predictor["model"]
        assert metadata["annotations"]["modelFormat"] == model["modelFormat"]["name"] == "triton"
        assert metadata["annotations"]["serving.kserve.io/deploymentMode"] == ("Knative" if knative else "Standard")
        visibility = "networking.knative.dev/visibility" if knative else "networking.kserve.io/visibility"
        assert metadata["labels"][visibility] == "cluster-local"
        assert model["name"] == ""
        assert model["protocolVersion"] == "v2"
        assert model["runtime"] == RUNTIME == SERVING_RUNTIME["metadata"]["name"]
        assert predictor["storageContainerName"] == STORAGE_CONTAINER["metadata"]["name"]
        (known,) = STORAGE_CONTAINER["spec"]["supportedUriFormats"]
        assert model["storageUri"].startswith(known["prefix"]), "the webhook refuses the pods of any other"
        assert not predictor.keys() & {"sklearn", "triton", "onnx", "containers"}
        assert predictor["minReplicas"] <= predictor["maxReplicas"]
        assert ("deploymentStrategy" in predictor) != knative, "Knative's webhook refuses it"
        for quantities in model["resources"].values():
            assert all(value == canonical_quantity(value) != "0" for value in quantities.values())


def test_what_is_served_waits_in_the_queue_of_its_project() -> None:
    """The label is the same wherever and whenever: it is copied onto pods, and Kueue refuses to see it changed."""
    for tree in EVERY.values():
        served = [*of_kind(tree, "InferenceService"), *of_kind(tree, "InferenceGraph")]
        labels = [each["metadata"]["labels"] for each in served]
        assert {each["kueue.x-k8s.io/queue-name"] for each in labels} == {"ordain"}
        assert {each["kueue.x-k8s.io/priority-class"] for each in labels} == {"ordain-serving"}


def test_nothing_about_the_pods_changes_when_traffic_moves() -> None:
    """KServe copies labels and annotations onto pods: a change there would restart them."""
    moving = [
        "before-ready",
        "moved",
        "canary",
        "blue-green",
        "ab",
        "ab-before-ready",
        "ab-graph",
        "ab-three",
        "shadow",
    ]
    services = [
        {each["metadata"]["name"]: each for each in of_kind(STANDARD[name], "InferenceService")} for name in moving
    ]
    for found in services:
        assert [found[name] for name in ("scoring-v1", "scoring-v2")] == [*services[0].values()]
    routes = [of_kind(STANDARD[name], "HTTPRoute") for name in moving]
    assert all(route not in routes[:position] for position, route in enumerate(routes))


@pytest.mark.parametrize("tree", EVERY.values(), ids=EVERY)
def test_routes_open_the_inference_paths_and_nothing_else(tree: Tree) -> None:
    opened: dict[tuple[str, str], set[str]] = {}
    for rule in rules_of(tree):
        rewrite = next(each["urlRewrite"]["path"] for each in rule["filters"] if each["type"] == "URLRewrite")
        assert rewrite["type"] == "ReplaceFullPath"
        for match in rule["matches"]:
            assert match["path"]["type"] == "Exact"
            opened.setdefault((match["method"], match["path"]["value"]), set()).add(rewrite["replaceFullPath"])
    asking = ["", "/health/live", "/health/ready", "/models/fraud", "/models/fraud/ready"]
    paths = {("GET", f"/serve/fraud/scoring/v2{path}"): {f"/v2{path}"} for path in asking}
    infer = opened.pop(("POST", "/serve/fraud/scoring/v2/models/fraud/infer"))
    assert opened == paths
    assert infer <= {"/v2/models/fraud/infer", "/"}


@pytest.mark.parametrize("tree", EVERY.values(), ids=EVERY)
def test_routes_set_the_tenant_add_nothing_and_keep_credentials_back(tree: Tree) -> None:
    for rule in rules_of(tree):
        (headers,) = [each["requestHeaderModifier"] for each in rule["filters"] if "requestHeaderModifier" in each]
        assert headers == {
            "set": [{"name": "X-Tenant-Id", "value": "acme"}, {"name": "X-Project-Id", "value": "fraud"}],
            "remove": ["Authorization", "Cookie", "X-Ordain-Secret"],
        }


@pytest.mark.parametrize("tree", EVERY.values(), ids=EVERY)
def test_whatever_is_referred_to_is_rendered(tree: Tree) -> None:
    """A rule that names a Service which is not there answers 500."""
    graphs = {each["metadata"]["name"] for each in of_kind(tree, "InferenceGraph")}
    services = {f"{each['metadata']['name']}-predictor" for each in of_kind(tree, "InferenceService")} | graphs
    backends = {each["metadata"]["name"] for each in of_kind(tree, "Backend")}
    known = {"Service": services, "Backend": backends}
    for rule in rules_of(tree):
        mirrors = [each["requestMirror"]["backendRef"] for each in rule["filters"] if "requestMirror" in each]
        for reference in (*rule["backendRefs"], *mirrors):
            assert reference["name"] in known[reference["kind"]]
    assert backends <= services
    for graph in of_kind(tree, "InferenceGraph"):
        steps = graph["spec"]["nodes"]["root"]["steps"]
        assert sum(step["weight"] for step in steps) == 100
        assert {step["serviceUrl"].split("/")[2].split(".")[0] for step in steps} <= services


@pytest.mark.parametrize("tree", EVERY.values(), ids=EVERY)
def test_budgets_are_of_pods_that_there_are_several_of(tree: Tree) -> None:
    services = {each["metadata"]["name"]: each["spec"]["predictor"] for each in of_kind(tree, "InferenceService")}
    budgets = {each["metadata"]["name"]: each["spec"] for each in of_kind(tree, "PodDisruptionBudget")}
    for name, predictor in services.items():
        assert (name in budgets) == (predictor["maxReplicas"] > 1)
    for name in budgets.keys() & services.keys():
        selector = {"component": "predictor", "serving.kserve.io/inferenceservice": name}
        assert budgets[name]["selector"] == {"matchLabels": selector}
        assert budgets[name]["maxUnavailable"] == 1


def test_a_route_carries_the_blobs_it_was_rendered_from() -> None:
    tree = TREES["moved"]
    (route,) = of_kind(tree, "HTTPRoute")
    target, rollout = tree.get(DEPLOYMENT), tree.get(ROLLOUT)
    assert target is not None
    assert rollout is not None
    assert route["metadata"]["annotations"]["ordain.dev/intent-blob"] == target.blob
    assert route["metadata"]["annotations"]["ordain.dev/rollout-blob"] == rollout.blob


def test_weights_and_bytes_come_from_the_rollout_alone() -> None:
    (route,) = of_kind(TREES["before-ready"], "HTTPRoute")
    backends = route["spec"]["rules"][0]["backendRefs"]
    assert {each["name"]: each["weight"] for each in backends} == {
        "scoring-v1-predictor": 100,
        "scoring-v2-predictor": 0,
    }
    services = of_kind(TREES["before-ready"], "InferenceService")
    assert [each["spec"]["predictor"]["model"]["storageUri"] for each in services] == [
        f"s3://models/acme/fraud/fraud/{version['digest'].removeprefix('sha256:')}/" for version in (V1, V2)
    ]


def test_without_a_rollout_nothing_is_rendered() -> None:
    assert render_unit(TREES["not-rolled-out"], SCORING) == {}
    assert render_unit(TREES["first"], Unit(UnitKind.DEPLOYMENT, "local", "acme", "fraud", "nothing")) == {}


def test_the_order_of_the_tree_does_not_show() -> None:
    documents = {path: document for path in TREES["moved"] if (document := TREES["moved"].get(path))}
    reversed_tree = Tree.empty().advance(dict(reversed(documents.items())))
    first = render_unit(TREES["moved"], SCORING)
    second = render_unit(reversed_tree, SCORING)
    assert list(map(to_yaml, first.values())) == list(map(to_yaml, second.values()))
