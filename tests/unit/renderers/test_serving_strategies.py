"""What each strategy makes of the routes, on both modes of KServe."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from intents.problems import InvalidIntent
from intents.tree import Tree
from renderers.gateway import cookie_pattern
from renderers.rendering import render_unit
from renderers.serving_runtime import render_serving_runtime
from renderers.unit import Unit, UnitKind
from tests.fixtures.serving import GPU, PAIR, SCORING, on_gpus, revisions, served, situations, strategies
from tests.fixtures.trees import CLUSTER, document, small_specs, small_tree

STANDARD, KNATIVE = strategies(), revisions()
INFER = "/serve/fraud/scoring/v2/models/fraud/infer"
READY = "/serve/fraud/scoring/v2/health/ready"


def of_kind(tree: Tree, kind: str) -> dict[str, dict[str, Any]]:
    found = render_unit(tree, SCORING).values()
    return {manifest["metadata"]["name"]: manifest for manifest in found if manifest["kind"] == kind}


def rules(tree: Tree, path: str) -> list[dict[str, Any]]:
    every = (rule for route in of_kind(tree, "HTTPRoute").values() for rule in route["spec"]["rules"])
    return [rule for rule in every if rule["matches"][0]["path"]["value"] == path]


def shares(rule: dict[str, Any]) -> dict[str, int]:
    return {each["name"]: each["weight"] for each in rule["backendRefs"]}


def headers(rule: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["headers"][0]["name"], each["headers"][0]["type"]) for each in rule["matches"]]


@pytest.mark.parametrize(("name", "weights"), [("canary", (90, 10)), ("blue-green", (100, 0))])
def test_moving_traffic_is_weights_alone(name: str, weights: tuple[int, int]) -> None:
    (rule,) = rules(STANDARD[name], INFER)
    assert shares(rule) == dict(zip(("scoring-v1-predictor", "scoring-v2-predictor"), weights, strict=True))
    assert all("headers" not in match for match in rule["matches"])


def test_requests_that_prefer_a_version_are_told_apart_before_the_weights() -> None:
    for path in (INFER, READY):
        second, first, weighted = rules(STANDARD["ab"], path)
        assert shares(second) == {"scoring-v2-predictor": 1}
        assert headers(second) == [("X-Experiment", "Exact"), ("Cookie", "RegularExpression")]
        assert shares(first) == {"scoring-v1-predictor": 1}
        assert shares(weighted) == {"scoring-v1-predictor": 60, "scoring-v2-predictor": 40}
        assert "headers" not in weighted["matches"][0]


def test_nobody_is_bound_to_a_version_without_a_share() -> None:
    """It is not ready yet, or was rolled back."""
    bound, weighted = rules(STANDARD["ab-before-ready"], INFER)
    assert shares(bound) == {"scoring-v1-predictor": 1}
    assert shares(weighted) == {"scoring-v1-predictor": 100, "scoring-v2-predictor": 0}


def test_a_version_whose_share_is_to_be_none_is_reached_by_invitation() -> None:
    invited, _ = rules(STANDARD["ab-by-invitation"], INFER)
    assert shares(invited) == {"scoring-v2-predictor": 1}


def test_only_live_versions_are_preferred() -> None:
    ab = {"split": {"v1": 60, "v9": 40}, "match": [{"version": "v9", "header": {"name": "X-Beta", "value": "1"}}]}
    (rule,) = rules(served({"ab": ab}, (100,)), INFER)
    assert shares(rule) == {"scoring-v1-predictor": 100}


def test_rules_that_do_not_fit_one_route_go_on_in_another() -> None:
    """Six paths with four rules each are 24: the Gateway API lets a route have 16."""
    routes = of_kind(STANDARD["ab-three"], "HTTPRoute")
    assert [(name, len(each["spec"]["rules"])) for name, each in routes.items()] == [("scoring", 16), ("scoring--2", 8)]
    places = [
        (name, rule["matches"][0]["path"]["value"]) for name, each in routes.items() for rule in each["spec"]["rules"]
    ]
    assert len({path for _, path in places}) == len(set(places)) == 6, "all rules of one path are in one route"
    assert len({str(each["spec"]["hostnames"]) for each in routes.values()}) == 1


def test_a_shadow_gets_copies_of_inferences_and_of_nothing_else() -> None:
    (rule,) = rules(STANDARD["shadow"], INFER)
    (copies,) = [each["requestMirror"] for each in rule["filters"] if each["type"] == "RequestMirror"]
    assert copies["percent"] == 20
    assert copies["backendRef"]["name"] == "scoring-v2-predictor"
    (asking,) = rules(STANDARD["shadow"], READY)
    assert all(each["type"] != "RequestMirror" for each in asking["filters"])


def test_a_shadow_with_a_share_of_its_own_gets_no_copies() -> None:
    (rule,) = rules(served({"shadow": PAIR}, (90, 10)), INFER)
    assert all(each["type"] != "RequestMirror" for each in rule["filters"])
    (alone,) = rules(served({"shadow": PAIR}, (100,)), INFER)
    assert all(each["type"] != "RequestMirror" for each in alone["filters"])


def test_a_graph_divides_inferences_and_nothing_else() -> None:
    tree = STANDARD["ab-graph"]
    (rule,), (asking,) = rules(tree, INFER), rules(tree, READY)
    assert shares(rule) == {"scoring--ab": 1}
    assert shares(asking) == {"scoring-v1-predictor": 60, "scoring-v2-predictor": 40}
    steps = of_kind(tree, "InferenceGraph")["scoring--ab"]["spec"]["nodes"]["root"]["steps"]
    assert {step["serviceUrl"]: step["weight"] for step in steps} == {
        f"http://scoring-{version}-predictor.acme--fraud.svc.cluster.local/v2/models/fraud/infer": weight
        for version, weight in (("v1", 60), ("v2", 40))
    }


def test_the_graph_stands_before_there_is_traffic_to_divide() -> None:
    tree = STANDARD["ab-graph-before-ready"]
    assert of_kind(tree, "InferenceGraph")
    (rule,) = rules(tree, INFER)
    assert shares(rule) == {"scoring-v1-predictor": 100, "scoring-v2-predictor": 0}


def test_a_knative_service_shows_the_newest_version_with_its_share() -> None:
    found = {
        name: (predictor["model"]["storageUri"][-9:-1], predictor.get("canaryTrafficPercent"))
        for name in ("knative-first", "knative-canary", "knative-blue-green-ready", "knative-blue-green-moved")
        for predictor in (of_kind(KNATIVE[name], "InferenceService")["scoring"]["spec"]["predictor"],)
    }
    first, second = (
        of_kind(STANDARD["canary"], "InferenceService")[f"scoring-{version}"]["spec"]["predictor"]["model"][
            "storageUri"
        ][-9:-1]
        for version in ("v1", "v2")
    )
    assert found == {
        "knative-first": (first, None),
        "knative-canary": (second, 10),
        "knative-blue-green-ready": (second, 0),
        "knative-blue-green-moved": (second, 100),
    }


def test_traffic_moves_on_knative_without_another_revision() -> None:
    """A revision's template is all of the predictor but its share."""
    ready, moved = (
        of_kind(KNATIVE[f"knative-blue-green-{step}"], "InferenceService")["scoring"] for step in ("ready", "moved")
    )
    assert ready.pop("spec")["predictor"] | {"canaryTrafficPercent": 100} == moved.pop("spec")["predictor"]
    assert ready == moved


def test_knative_is_reached_by_host() -> None:
    (rule,) = rules(KNATIVE["knative-canary"], INFER)
    host = "scoring-predictor.acme--fraud.svc.cluster.local"
    (rewrite,) = [each["urlRewrite"] for each in rule["filters"] if each["type"] == "URLRewrite"]
    assert rewrite["hostname"] == host
    assert [(each["kind"], each["name"]) for each in rule["backendRefs"]] == [("Backend", "scoring-predictor")]
    (backend,) = of_kind(KNATIVE["knative-canary"], "Backend").values()
    assert backend["spec"]["endpoints"] == [{"fqdn": {"hostname": host, "port": 80}}]


def test_a_graph_on_knative_takes_what_prefers_no_version() -> None:
    second, first, weighted = rules(KNATIVE["knative-ab"], INFER)
    assert [shares(rule) for rule in (second, first, weighted)] == [
        {"scoring-v2-predictor": 1},
        {"scoring-v1-predictor": 1},
        {"scoring--ab": 1},
    ]
    assert shares(rules(KNATIVE["knative-ab"], READY)[-1]) == {"scoring-v1-predictor": 1}
    assert set(of_kind(KNATIVE["knative-ab"], "Backend")) == {
        "scoring-v1-predictor",
        "scoring-v2-predictor",
        "scoring--ab",
    }
    assert not of_kind(KNATIVE["knative-ab-first"], "InferenceGraph")


@pytest.mark.parametrize(
    "cookie", ["arm=b.1", "arm=b.1; other=x", "other=x; arm=b.1", "a=1;arm=b.1 ;c=2", "x=; arm=b.1"]
)
def test_a_cookie_is_found_wherever_it_stands(cookie: str) -> None:
    assert re.search(cookie_pattern("arm", "b.1"), cookie)


@pytest.mark.parametrize(
    "cookie", ["arm=bx1", "arm=b.12", "farm=b.1", "x=arm=b.1", "arm=b.1.2; x=y", "armx=b.1", "arm=", "", "ARM=b.1"]
)
def test_no_other_cookie_is_taken_for_it(cookie: str) -> None:
    assert not re.search(cookie_pattern("arm", "b.1"), cookie)


@pytest.mark.parametrize("value", ["a+b", "a.b", "a~b", "a/b=", "a-b", "a_b"])
def test_every_value_that_a_match_may_have_is_matched_literally(value: str) -> None:
    assert re.search(cookie_pattern("a-r-m", value), f"x=1; a-r-m={value}")
    assert not re.search(cookie_pattern("a-r-m", value), f"x=1; a-r-m={value[0]}x{value[2:]}")


def test_gpus_bring_their_pools_resource_nodes_and_taints() -> None:
    (service,) = of_kind(STANDARD["gpu-surge"], "InferenceService").values()
    predictor = service["spec"]["predictor"]
    amounts = {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert predictor["model"]["resources"] == {"limits": amounts, "requests": amounts}
    assert predictor["nodeSelector"] == {"pool": "gpu", "zone": "a"}
    assert predictor["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists"},
        {"key": "tenants", "operator": "Equal", "value": "ml", "effect": "NoSchedule"},
    ]


def test_another_resource_name_is_the_pools() -> None:
    pool = {"type": next(iter(GPU)), "count": 4, "resource": "amd.com/gpu"}
    tree = on_gpus(replicas={"min": 1, "max": 1}, quota=4)
    tree = tree.advance({CLUSTER: document(CLUSTER, {**small_specs()[CLUSTER], "gpuPools": [pool]})})
    (service,) = of_kind(tree, "InferenceService").values()
    predictor = service["spec"]["predictor"]
    assert predictor["model"]["resources"]["limits"] == {"cpu": "2", "memory": "4Gi", "amd.com/gpu": "1"}
    assert not predictor.keys() & {"nodeSelector", "tolerations"}


def test_what_checks_refuse_is_not_rendered_otherwise() -> None:
    without = {CLUSTER: document(CLUSTER, small_specs()[CLUSTER])}
    with pytest.raises(InvalidIntent, match="nvidia-l4"):
        render_unit(on_gpus(replicas={"min": 1, "max": 1}, quota=1).advance(without), SCORING)
    with pytest.raises(InvalidIntent, match="unknown-cluster"):
        render_unit(situations()["first"].advance({CLUSTER: None}), SCORING)


def test_credentials_are_referred_to_by_the_projects_account() -> None:
    for tree in (STANDARD["canary"], KNATIVE["knative-ab"]):
        for service in of_kind(tree, "InferenceService").values():
            predictor = service["spec"]["predictor"]
            assert predictor["serviceAccountName"] == "ordain-serving"
            assert predictor["automountServiceAccountToken"] is False
        for graph in of_kind(tree, "InferenceGraph").values():
            assert graph["spec"]["serviceAccountName"] == "ordain-serving"


def test_a_model_server_is_started_with_a_secret_that_nobody_knows() -> None:
    """The shell command of the runtime, run with a program that prints its arguments."""
    (runtime,) = render_serving_runtime(small_tree(), Unit(UnitKind.CLUSTER, "local"))
    shell, flag, script, _, *options = runtime["spec"]["containers"][0]["args"]
    printed = [
        subprocess.run([shell, flag, script, "echo", *options], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    restricted, *others = printed[0].split()
    pattern = r"--http-restricted-api=model-repository,shared-memory,trace,logging:x-ordain-secret=[0-9a-f-]{36}"
    assert re.fullmatch(pattern, restricted)
    assert others == options
    assert printed[0] != printed[1]
    assert "--model-control-mode=none" in options
    assert "--allow-grpc=false" in options
