"""Strategies against their versions and against what the cluster can do: whole tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from intents.checks import check
from tests.fixtures.trees import CLUSTER, DEPLOYMENT, V1, V2, document, small_specs, small_tree

SPECS = small_specs()
PAIR = {"stable": "v1", "candidate": "v2"}
KUBERNETES = {
    "driver": "kubernetes",
    "kubernetes": {"argocd": {"repoURL": "https://git.example/r"}, "kfp": {"endpoint": "https://kfp.example/"}},
}
STANDARD, KNATIVE = ({**KUBERNETES, "kserve": {"mode": mode}} for mode in ("Standard", "Knative"))
LOCAL = {"driver": "local"}

CANARY = {"canary": {**PAIR, "steps": [{"weight": 0}, {"weight": 10}, {"weight": 100}]}}
HEADER = {"version": "v2", "header": {"name": "X-Arm", "value": "b"}}
EDGE = {"ab": {"split": {"v1": 50, "v2": 50}, "match": [HEADER]}}
GRAPH = {"ab": {"split": {"v1": 50, "v2": 50}, "match": [HEADER], "splitter": "inferenceGraph"}}


def told(traffic: Mapping[str, Any], cluster: Mapping[str, Any] = LOCAL) -> list[tuple[str, str]]:
    """Return code and place below spec.traffic of every problem."""
    replace = "replace" in traffic
    spec = {**SPECS[DEPLOYMENT], "versions": [V1] if replace else [V1, V2], "traffic": traffic}
    base = small_tree().advance({CLUSTER: document(CLUSTER, cluster)})
    found = check(base, base.advance({DEPLOYMENT: document(DEPLOYMENT, spec)}), [DEPLOYMENT])
    return [(each.code, each.field.removeprefix("spec.traffic.")) for each in found]


@pytest.mark.parametrize(
    ("traffic", "standard", "knative", "local"),
    [
        ({"replace": {}}, "", "", ""),
        (CANARY, "", "", ""),
        ({"blueGreen": PAIR}, "", "", ""),
        ({"blueGreen": {**PAIR, "atLeast": "5m"}}, "", "", ""),
        ({"blueGreen": {**PAIR, "keep": "5m"}}, "", "blueGreen.keep", ""),
        ({"shadow": PAIR}, "", "shadow", ""),
        (EDGE, "", "ab", ""),
        (GRAPH, "", "", "ab.splitter"),
    ],
)
def test_what_a_cluster_can_do(traffic: Mapping[str, Any], standard: str, knative: str, local: str) -> None:
    for cluster, place in ((STANDARD, standard), (KNATIVE, knative), (LOCAL, local)):
        assert told(traffic, cluster) == ([("mode-cannot-express", place)] if place else [])


def header(version: str, name: str, value: str) -> dict[str, Any]:
    return {"version": version, "header": {"name": name, "value": value}}


def cookie(version: str, name: str, value: str) -> dict[str, Any]:
    return {"version": version, "cookie": {"name": name, "value": value}}


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (header("v1", "X-A", "1"), header("v2", "X-A", "2"), False),
        (header("v1", "X-A", "1"), header("v2", "x-a", "2"), False),
        (header("v1", "X-A", "1"), header("v2", "x-a", "1"), True),
        (header("v1", "X-A", "1"), header("v2", "X-B", "2"), True),
        (header("v1", "X-A", "1"), header("v1", "X-B", "2"), False),
        (header("v1", "a", "1"), cookie("v2", "a", "2"), True),
        (cookie("v1", "a", "1"), cookie("v2", "a", "2"), False),
        (cookie("v1", "a", "1"), cookie("v2", "A", "2"), True),
        (cookie("v1", "a", "1"), cookie("v2", "a", "1"), True),
    ],
)
def test_matches_that_one_request_can_satisfy_at_once(
    one: Mapping[str, Any], other: Mapping[str, Any], overlap: bool
) -> None:
    traffic = {"ab": {"split": {"v1": 50, "v2": 50}, "match": [one, other]}}
    assert told(traffic) == ([("overlapping-matches", "ab.match.1")] if overlap else [])


def test_each_match_is_told_once_whatever_number_of_others_it_meets() -> None:
    matches = [header("v1", f"X-{number}", "1") for number in range(32)] + [header("v2", "X-A", "1")] * 32
    found = told({"ab": {"split": {"v1": 50, "v2": 50}, "match": matches}})
    assert found == [("overlapping-matches", f"ab.match.{position}") for position in range(32, 64)]


@pytest.mark.parametrize(
    ("split", "match", "problems"),
    [
        ({"v1": 100, "v2": 0}, [cookie("v2", "a", "1")], []),
        ({"v1": 99, "v2": 0}, [cookie("v2", "a", "1")], [("weights-sum", "ab.split")]),
        ({"v1": 60, "v2": 60}, [], [("weights-sum", "ab.split")]),
        ({"v1": 50, "v2": 30, "v3": 20}, [], [("unknown-version", "ab.split.v3")]),
        ({"v1": 50, "v2": 50}, [cookie("v3", "a", "1")], [("unknown-version", "ab.match.0.version")]),
    ],
)
def test_splits(split: dict[str, int], match: list[dict[str, Any]], problems: list[tuple[str, str]]) -> None:
    assert told({"ab": {"split": split, "match": match}}) == problems


@pytest.mark.parametrize(
    ("weights", "wrong"),
    [([100], []), ([5, 50, 100], []), ([100, 100], [1]), ([50, 40, 100], [1]), ([10], [0]), ([10, 5], [1, 1])],
)
def test_steps(weights: list[int], wrong: list[int]) -> None:
    traffic = {"canary": {**PAIR, "steps": [{"weight": weight} for weight in weights]}}
    assert told(traffic) == [("steps-not-rising", f"canary.steps.{at}.weight") for at in wrong]
