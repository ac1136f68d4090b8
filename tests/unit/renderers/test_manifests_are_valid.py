"""Rendered manifests satisfy the published definitions, and the rules those do not hold."""

from __future__ import annotations

from typing import Any

import pytest

from intents.names import DNS_LABEL_LIMIT
from intents.quantities import canonical_quantity
from intents.tree import Tree
from renderers.canonical import to_yaml
from renderers.rendering import render_unit
from renderers.unit import Unit, UnitKind
from tests.fixtures.custom_resources import complaints, missing_defaults
from tests.fixtures.serving import SCORING, situations
from tests.fixtures.trees import DEPLOYMENT, ROLLOUT, V1, V2

TREES = situations()
MANIFESTS = [
    pytest.param(manifest, id=f"{name}-{path}")
    for name, tree in TREES.items()
    for path, manifest in render_unit(tree, SCORING).items()
]


def of_kind(tree: Tree, kind: str) -> list[dict[str, Any]]:
    rendered = render_unit(tree, SCORING).values()
    return [manifest for manifest in rendered if manifest["kind"] == kind]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_published_definition_has_nothing_against_it(manifest: dict[str, Any]) -> None:
    assert complaints(manifest) == []


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_api_server_has_no_default_to_add(manifest: dict[str, Any]) -> None:
    """A field that it adds would show as drift in every comparison."""
    assert missing_defaults(manifest) == []


def test_the_definitions_refuse_what_they_do_not_know() -> None:
    (service,) = of_kind(TREES["first"], "InferenceService")
    service["spec"]["predictor"]["model"]["replicas"] = 1
    assert complaints(service)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_labels_and_names_fit(manifest: dict[str, Any]) -> None:
    metadata = manifest["metadata"]
    assert metadata["namespace"] == "acme--fraud"
    assert len(metadata["name"]) <= DNS_LABEL_LIMIT
    assert all(len(value) <= DNS_LABEL_LIMIT for value in metadata["labels"].values())
    assert all(isinstance(value, str) for value in metadata["annotations"].values())


@pytest.mark.parametrize("name", ["first", "before-ready", "moved", "plain"])
def test_an_inference_service_is_in_the_stored_form(name: str) -> None:
    """kubeflow.md's rules for a manifest that the API server stores exactly as it is written."""
    for service in of_kind(TREES[name], "InferenceService"):
        model = service["spec"]["predictor"]["model"]
        assert service["metadata"]["annotations"]["modelFormat"] == "triton"
        assert service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
        assert service["metadata"]["labels"]["networking.kserve.io/visibility"] == "cluster-local"
        assert model["name"] == ""
        assert model["protocolVersion"] == "v2"
        for quantities in model["resources"].values():
            assert all(value == canonical_quantity(value) for value in quantities.values())


def test_nothing_about_the_pods_changes_when_traffic_moves() -> None:
    """KServe copies labels and annotations onto pods: a change there would restart them."""
    before, after = of_kind(TREES["before-ready"], "InferenceService"), of_kind(TREES["moved"], "InferenceService")
    assert before == after
    assert of_kind(TREES["before-ready"], "HTTPRoute") != of_kind(TREES["moved"], "HTTPRoute")


@pytest.mark.parametrize("name", ["first", "before-ready", "moved", "plain"])
def test_a_route_opens_the_inference_paths_and_nothing_else(name: str) -> None:
    (route,) = of_kind(TREES[name], "HTTPRoute")
    opened = {}
    for rule in route["spec"]["rules"]:
        (match,) = rule["matches"]
        assert match["path"]["type"] == "Exact"
        rewrite = next(each["urlRewrite"]["path"] for each in rule["filters"] if each["type"] == "URLRewrite")
        assert rewrite["type"] == "ReplaceFullPath"
        opened[match["path"]["value"]] = rewrite["replaceFullPath"]
    paths = ["", "/health/live", "/health/ready", "/models/fraud", "/models/fraud/infer", "/models/fraud/ready"]
    assert opened == {f"/serve/fraud/scoring/v2{path}": f"/v2{path}" for path in paths}


@pytest.mark.parametrize("name", ["first", "before-ready", "moved", "plain"])
def test_a_route_sets_the_tenant_and_adds_nothing(name: str) -> None:
    (route,) = of_kind(TREES[name], "HTTPRoute")
    for rule in route["spec"]["rules"]:
        (headers,) = [each["requestHeaderModifier"] for each in rule["filters"] if "requestHeaderModifier" in each]
        assert headers == {
            "set": [{"name": "X-Tenant-Id", "value": "acme"}, {"name": "X-Project-Id", "value": "fraud"}]
        }


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
