"""A tree is rendered unit by unit: each where it belongs, from its sources alone, in any order."""

from __future__ import annotations

import pytest

from intents.tree import Tree
from renderers.rendering import render_cluster, render_unit, sources, units
from renderers.unit import Unit, UnitKind
from tests.fixtures.examples import example_tree
from tests.fixtures.serving import SCORING
from tests.fixtures.trees import (
    ACME,
    CLUSTER,
    DDP,
    DEPLOYMENT,
    FRAUD,
    PLATFORM,
    ROLLOUT,
    TRAINING_JOB,
    document,
    small_specs,
    small_tree,
)

LINEAR = Unit(UnitKind.TRAINING_JOB, "local", "acme", "fraud", "linear")


def test_every_workload_is_a_unit_of_its_projects_cluster() -> None:
    tree = small_tree()
    assert list(units(tree, "local")) == [
        Unit(UnitKind.CLUSTER, "local"),
        Unit(UnitKind.TENANT, "local", "acme"),
        Unit(UnitKind.TENANT, "local", "globex"),
        Unit(UnitKind.PROJECT, "local", "acme", "fraud"),
        SCORING,
        LINEAR,
        Unit(UnitKind.PROJECT, "local", "globex", "churn"),
    ]
    assert list(units(tree, "elsewhere")) == [Unit(UnitKind.CLUSTER, "elsewhere")]


def test_sources_name_what_a_unit_depends_on() -> None:
    tree = small_tree()
    shared = {PLATFORM, CLUSTER, ACME, FRAUD}
    assert set(sources(tree, SCORING)) == {*shared, DEPLOYMENT, ROLLOUT}
    assert set(sources(tree, LINEAR)) == {*shared, TRAINING_JOB, DDP}
    assert set(sources(tree, Unit(UnitKind.CLUSTER, "local"))) == {PLATFORM, CLUSTER}


@pytest.mark.parametrize(
    ("tree", "cluster"), [(small_tree(), "local"), (example_tree(), "main"), (example_tree(), "burst")]
)
def test_a_tree_of_its_sources_alone_renders_the_same(tree: Tree, cluster: str) -> None:
    for unit in units(tree, cluster):
        needed = {path: each for path in sources(tree, unit) if (each := tree.get(path))}
        assert render_unit(Tree.empty().advance(needed), unit) == render_unit(tree, unit)


def test_the_order_of_reading_does_not_show() -> None:
    backwards = {path: document(path, spec) for path, spec in reversed(small_specs().items())}
    assert list(render_cluster(small_tree(), "local").items()) == list(
        render_cluster(Tree.empty().advance(backwards), "local").items()
    )
