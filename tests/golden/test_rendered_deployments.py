from __future__ import annotations

import pytest

from intents.tree import Tree
from renderers.canonical import to_yaml
from renderers.rendering import render_unit
from renderers.serving_runtime import render_serving_runtime
from renderers.storage_initializer import render_storage_initializer
from renderers.unit import Unit, UnitKind, manifest_path
from tests.fixtures.serving import SCORING, revisions, situations, strategies
from tests.fixtures.trees import small_tree
from tests.golden.golden_files import check_golden

TREES = {**situations(), **strategies(), **revisions()}


@pytest.mark.parametrize(("name", "tree"), TREES.items(), ids=TREES)
def test_a_deployment_is_rendered_as_kept(name: str, tree: Tree) -> None:
    manifests = render_unit(tree, SCORING)
    check_golden(f"deployments/{name}", {path: to_yaml(manifest) for path, manifest in manifests.items()})


def test_what_model_servers_share_is_rendered_as_kept() -> None:
    cluster = Unit(UnitKind.CLUSTER, "local")
    tree = small_tree()
    manifests = [*render_serving_runtime(tree, cluster), *render_storage_initializer(tree, cluster)]
    check_golden("serving-runtime", {manifest_path(cluster, each): to_yaml(each) for each in manifests})
