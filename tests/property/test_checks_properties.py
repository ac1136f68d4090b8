"""Checking only what a change can affect finds what checking everything finds, on trees that have no problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from intents.checks import check
from intents.tree import Tree
from tests.fixtures.trees import (
    ACME,
    CLUSTER,
    DDP,
    DEPLOYMENT,
    FRAUD,
    GLOBEX,
    MODEL_1,
    PLATFORM,
    ROLLOUT,
    RUN,
    SCHEDULE,
    TRAIN,
    TRAINING_JOB,
    V1,
    V2,
    document,
    small_specs,
    small_tree,
)

SPECS = small_specs()
SEARCH = FRAUD.replace("fraud", "search")
BURST = CLUSTER.replace("local", "burst")
KUBERNETES = {
    "driver": "kubernetes",
    "kubernetes": {"argocd": {"repoURL": "https://git.example/r"}, "kfp": {"endpoint": "https://kfp.example/"}},
}
POOL = {"gpuPools": [{"type": "nvidia-l4", "count": 4}]}
SMALL = {"capacity": {"cpus": 4, "memory": "12Gi"}}
PAIR = {"stable": "v1", "candidate": "v2"}
GPU = {"nvidia-l4": 2}
GPU_V1 = {**V1, "resources": {"gpus": {"nvidia-l4": 1}}, "replicas": {"max": 2}}


def deployed(traffic: Mapping[str, Any], *versions: Mapping[str, Any]) -> dict[str, Any]:
    return {**SPECS[DEPLOYMENT], "versions": list(versions), "traffic": traffic}


def in_search(path: str) -> str:
    return path.replace("projects/fraud", "projects/search")


DEPLOYMENTS = [
    None,
    deployed({"replace": {}}, V1),
    deployed({"replace": {}}, {**V1, "replicas": {"max": 7}}),
    deployed({"replace": {}}, GPU_V1),
    deployed({"shadow": PAIR}, V1, V2),
    deployed({"blueGreen": PAIR}, V1, V2),
    deployed({"ab": {"split": {"v1": 50, "v2": 50}}}, V1, V2),
    deployed({"ab": {"split": {"v1": 50, "v2": 50}, "splitter": "inferenceGraph"}}, V1, V2),
]
ROLLOUTS = [None, SPECS[ROLLOUT], {"of": "1" * 40, "live": [{**V1, "weight": 0}, {**V2, "weight": 100}]}]
QUOTAS = [
    {},
    {"cpus": 3},
    {"cpus": 6, "gpus": GPU},
    {"memory": "9Gi", "gpus": {"nvidia-l4": 8}},
    {"gpus": {"other": 1}},
]
CLUSTERS = [
    {**SPECS[CLUSTER], **POOL},
    {**SPECS[CLUSTER], **SMALL},
    {**KUBERNETES, **POOL, **SMALL},
    {**KUBERNETES, "kserve": {"mode": "Knative"}},
    {**KUBERNETES, **POOL, "kserve": {"mode": "Knative"}},
]
IMAGES = [{"allow": ["python:*"]}, {"allow": ["quay.io/*"]}]
LIMITS = {"deletedDeployments": {"atMost": "50%", "floor": 0}, "tenantsTouched": 1}

MOVES: dict[str, list[dict[str, Any] | None]] = {
    PLATFORM: [
        *({**SPECS[PLATFORM], "images": images} for images in IMAGES),
        {**SPECS[PLATFORM], "changeLimits": LIMITS},
    ],
    CLUSTER: [SPECS[CLUSTER], *CLUSTERS],
    BURST: [None, *CLUSTERS],
    ACME: [{**SPECS[ACME], "quota": quota} for quota in QUOTAS],
    GLOBEX: [{**SPECS[GLOBEX], "quota": quota} for quota in QUOTAS],
    FRAUD: [None, *({"cluster": cluster, "quota": quota} for cluster in ("local", "burst") for quota in QUOTAS)],
    SEARCH: [None, *({"cluster": cluster, "quota": quota} for cluster in ("local", "burst") for quota in QUOTAS)],
    TRAIN: [None, {**SPECS[TRAIN], "tenants": ["globex"]}, {**SPECS[TRAIN], "deprecated": "old"}],
    DDP: [None, {**SPECS[DDP], "tenants": ["globex"]}, {**SPECS[DDP], "resources": {"gpus": {"nvidia-l4": 1}}}],
    RUN: [None, {**SPECS[RUN], "attempt": 2}],
    RUN.replace("first", "other"): [{"template": "ddp@1.0.0"}, {**SPECS[RUN], "parameters": {"rounds": 3}}],
    SCHEDULE: [None, {**SPECS[SCHEDULE], "cron": "0 0 30 2 *"}, {**SPECS[SCHEDULE], "run": {"template": "ddp@1.0.0"}}],
    TRAINING_JOB: [None, {**SPECS[TRAINING_JOB], "attempt": 2}, {**SPECS[TRAINING_JOB], "desired": "Cancelled"}],
    MODEL_1.replace("1.yaml", "3.yaml"): [{**SPECS[MODEL_1], "signature": {"instanceKinds": ["KIND_GPU"]}}],
    DEPLOYMENT: DEPLOYMENTS,
    ROLLOUT: ROLLOUTS,
    DEPLOYMENT.replace("scoring", "other"): DEPLOYMENTS,
    in_search(MODEL_1): [None, SPECS[MODEL_1]],
    in_search(DEPLOYMENT): [None, *DEPLOYMENTS[1:3]],
}
CHANGES = st.fixed_dictionaries({}, optional={path: st.sampled_from(specs) for path, specs in MOVES.items()})
FEW = st.dictionaries(st.sampled_from(sorted(MOVES)), st.integers(0, 20), max_size=3).map(
    lambda picks: {path: MOVES[path][pick % len(MOVES[path])] for path, pick in picks.items()}
)


def _changed(tree: Tree, changes: Mapping[str, Mapping[str, Any] | None]) -> Tree:
    return tree.advance({path: None if spec is None else document(path, spec) for path, spec in changes.items()})


def _without_problem(first: Mapping[str, Mapping[str, Any] | None]) -> Tree:
    """Return the small tree with as many of the changes as leave it without any problem."""
    tree = small_tree()
    for path, spec in first.items():
        moved = _changed(tree, {path: spec})
        tree = tree if check(Tree.empty(), moved) else moved
    return tree


@settings(max_examples=150, deadline=None)
@given(first=CHANGES, second=CHANGES | FEW)
def test_checking_what_changed_finds_what_checking_everything_finds(
    first: dict[str, dict[str, Any] | None], second: dict[str, dict[str, Any] | None]
) -> None:
    base = _without_problem(first)
    head = _changed(base, second)
    assert check(base, head, second.keys()) == check(base, head)


@settings(max_examples=60, deadline=None)
@given(first=CHANGES, second=FEW)
def test_what_is_accepted_has_no_problem_afterwards(
    first: dict[str, dict[str, Any] | None], second: dict[str, dict[str, Any] | None]
) -> None:
    """A change that is refused nothing leads to a tree in which the next change is refused nothing either."""
    base = _without_problem(first)
    head = _changed(base, second)
    if not check(base, head, second.keys()):
        assert check(head, head) == ()
