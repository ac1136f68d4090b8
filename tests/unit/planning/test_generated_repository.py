"""The repositories that are measured are valid, and what they are said to be."""

from __future__ import annotations

import pytest

from intents.kinds import Kind, ModelDeploymentSpec
from intents.kinds.traffic import AB, BlueGreen, Canary, Replace, Shadow
from intents.writing import blob_id
from reconciler.planning.states import State
from reconciler.planning.validation import Question, validate
from renderers.rendering import render_cluster
from tests.bench.repository import Files, generate, only_tenants


def state(files: Files) -> State:
    return State().advanced({path: blob_id(body) for path, body in files.items()}, files.__getitem__)


@pytest.mark.parametrize("files", [generate(600), generate(2_500), only_tenants(30)], ids=["600", "2500", "tenants"])
def test_it_has_no_problem(files: Files) -> None:
    assert validate(Question(state(files), files.__getitem__)) == ()


def test_it_is_as_large_as_was_asked_and_the_same_each_time() -> None:
    assert [len(state(generate(size)).tree) for size in (200, 601, 2_000)] == [200, 601, 2_000]
    assert generate(1_000) == generate(1_000)


def test_it_has_every_kind_and_strategy() -> None:
    tree = state(generate(10_000)).tree
    assert {kind: len(tree.of_kind(kind)) for kind in (Kind.TENANT, Kind.PROJECT)} == {
        Kind.TENANT: 100,
        Kind.PROJECT: 500,
    }
    assert all(tree.of_kind(kind) for kind in Kind)
    specs = [each.spec for each in tree.of_kind(Kind.MODEL_DEPLOYMENT).values()]
    strategies = {type(spec.traffic.strategy) for spec in specs if isinstance(spec, ModelDeploymentSpec)}
    assert strategies == {Replace, Canary, BlueGreen, AB, Shadow}


def test_it_is_rendered_for_both_clusters() -> None:
    tree = state(generate(1_000)).tree
    assert all(len(render_cluster(tree, cluster)) > 100 for cluster in ("main", "burst"))
