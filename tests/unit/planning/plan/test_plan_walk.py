"""The steps that follow a change of a deployment, by strategy and by what is live."""

from __future__ import annotations

from typing import Any

import pytest

from intents.tree import Tree
from reconciler.planning.plan.walk import Walk, settled, walk_of
from tests.fixtures.trees import DEPLOYMENT, ROLLOUT, V1, V2, document, small_specs, small_tree, version_spec

V0 = version_spec("v0", "fraud@1", "1")
PAIR = {"stable": "v1", "candidate": "v2"}
CANARY = {"canary": {**PAIR, "steps": [{"weight": 10, "atLeast": "5m"}, {"weight": 100}]}}
AB = {"split": {"v1": 60, "v2": 40}, "match": [{"version": "v2", "header": {"name": "X-Arm", "value": "b"}}]}


def tree(traffic: dict[str, Any], live: list[tuple[dict[str, Any], int]], **rollout: Any) -> Tree:
    versions = [V2] if "replace" in traffic else [V1, V2]
    target = document(DEPLOYMENT, {**small_specs()[DEPLOYMENT], "versions": versions, "traffic": traffic})
    of = {"of": target.blob if rollout.pop("begun", False) else "0" * 40}
    served = {**of, "live": [{**version, "weight": weight} for version, weight in live], **rollout}
    return small_tree().advance({DEPLOYMENT: target, ROLLOUT: document(ROLLOUT, served) if live else None})


def walk(found: Tree) -> Walk:
    return walk_of(found.deployment("acme", "fraud", "scoring"), found.rollout("acme", "fraud", "scoring"))


def steps(found: Tree) -> list[tuple[str, str, dict[str, int]]]:
    return [(each.summary, each.when, dict(each.weights)) for each in walk(found).steps]


ONE = [(V1, 100)]
BOTH = [(V1, 100), (V2, 0)]
SITUATIONS: dict[str, tuple[Tree, list[tuple[str, str, dict[str, int]]]]] = {
    "replace, first": (tree({"replace": {}}, []), [("Serve v2", "at once", {"v2": 100})]),
    "replace": (
        tree({"replace": {}}, ONE),
        [
            ("Start v2 beside v1", "at once", {"v1": 100, "v2": 0}),
            ("Move all traffic to v2", "once v2 answers", {"v1": 0, "v2": 100}),
            ("Retire v1", "once v1 has no request in flight", {"v2": 100}),
        ],
    ),
    "replace, held": (
        tree(
            {"replace": {}},
            [(V1, 100), (V2, 0)],
            begun=True,
            lastGood=[{**V1, "weight": 100}],
            hold={"reason": "slow", "by": "ana"},
        ),
        [("Retire v2", "once v2 has no request in flight", {"v1": 100})],
    ),
    "canary, first": (
        tree(CANARY, []),
        [
            ("Start v1 and v2", "at once", {"v1": 100, "v2": 0}),
            ("Move 10 % to v2", "once v2 answers", {"v1": 90, "v2": 10}),
            ("Move 100 % to v2", "after 5m", {"v1": 0, "v2": 100}),
            ("Retire v1", "once v1 has no request in flight", {"v2": 100}),
        ],
    ),
    "canary, from another version": (
        tree(CANARY, [(V0, 100)]),
        [
            ("Start v1 and v2", "at once", {"v0": 100, "v1": 0, "v2": 0}),
            ("Move 10 % to v2", "once v2 answers", {"v0": 0, "v1": 90, "v2": 10}),
            ("Move 100 % to v2", "after 5m", {"v0": 0, "v1": 0, "v2": 100}),
            ("Retire v0 and v1", "once v0 and v1 have no request in flight", {"v2": 100}),
        ],
    ),
    "canary, under way": (
        tree(CANARY, [(V1, 90), (V2, 10)], begun=True),
        [
            ("Move 100 % to v2", "after 5m", {"v1": 0, "v2": 100}),
            ("Retire v1", "once v1 has no request in flight", {"v2": 100}),
        ],
    ),
    "canary, held": (tree(CANARY, [(V1, 90), (V2, 10)], begun=True, hold={"reason": "slow", "by": "ana"}), []),
    "blue/green": (
        tree({"blueGreen": {**PAIR, "atLeast": "10m", "keep": "1h"}}, ONE),
        [
            ("Start v2", "at once", {"v1": 100, "v2": 0}),
            ("Move all traffic to v2", "once v2 has answered for 10m", {"v1": 0, "v2": 100}),
            ("Retire v1", "after 1h", {"v2": 100}),
        ],
    ),
    "a/b": (
        tree({"ab": AB}, ONE),
        [
            ("Start v2", "at once", {"v1": 100, "v2": 0}),
            (
                "Split the traffic; header X-Arm=b always reaches v2",
                "once v1 and v2 answer",
                {"v1": 60, "v2": 40},
            ),
        ],
    ),
    "a/b, first": (tree({"ab": AB}, []), [("Start v1 and v2", "at once", {"v1": 60, "v2": 40})]),
    "shadow": (
        tree({"shadow": {**PAIR, "percent": 20}}, ONE),
        [
            ("Start v2", "at once", {"v1": 100, "v2": 0}),
            (
                "Copy 20 % of the requests to v2, whose answers are thrown away",
                "once v2 answers",
                {"v1": 100, "v2": 0},
            ),
        ],
    ),
    "shadow, other resources": (
        tree({"shadow": PAIR}, [({**V1, "resources": {"cpus": 2}}, 100), (V2, 0)]),
        [("Update v1", "at once", {"v1": 100, "v2": 0})],
    ),
    "shadow, under way": (tree({"shadow": PAIR}, BOTH, begun=True), []),
}


@pytest.mark.parametrize(("found", "expected"), SITUATIONS.values(), ids=SITUATIONS)
def test_a_walk_is_told_step_by_step(found: Tree, expected: list[tuple[str, str, dict[str, int]]]) -> None:
    assert steps(found) == expected


@pytest.mark.parametrize("found", [tree for tree, _ in SITUATIONS.values()], ids=SITUATIONS)
def test_a_walk_ends_at_what_is_settled(found: Tree) -> None:
    deployment, rollout = found.deployment("acme", "fraud", "scoring"), found.rollout("acme", "fraud", "scoring")
    assert {each.name for each in walk(found).end} == {each.name for each in settled(deployment, rollout)}
    assert sum(each.weight for each in walk(found).end) == 100


def test_without_a_deployment_nothing_walks() -> None:
    assert walk_of(None, None) == Walk((), ())
    assert settled(None, None) == ()
