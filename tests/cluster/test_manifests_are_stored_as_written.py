"""Every manifest is taken by the API server, stored as it is written, and left alone by a second apply.

What the golden files hold is a part of what is applied here: all manifests of every tree they are rendered from, and of
the repository of examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from intents.kinds import ClusterSpec, PlatformSpec
from intents.tree import Tree
from renderers.policies.engines import kyverno_policies, validating_policies
from renderers.rendering import render_cluster
from renderers.unit import Unit, UnitKind, manifest_path
from tests.cluster.conftest import Connect
from tests.fixtures.examples import example_tree
from tests.fixtures.policy_objects import settings
from tests.fixtures.serving import revisions, situations, strategies
from tests.fixtures.tenancy import platform_trees
from tests.fixtures.workloads import TRAINING, workload_tree
from tests.support.clusters import Cluster, Manifest, drift, until
from tests.support.deliveries import Branch, Delivery

pytestmark = pytest.mark.cluster

Engine = Callable[[PlatformSpec, ClusterSpec], Iterator[Manifest]]
TREES: dict[str, tuple[Tree, str]] = {
    "examples-main": (example_tree(), "main"),
    "examples-burst": (example_tree(), "burst"),
    **{name: (tree, "local") for name, tree in {**situations(), **strategies(), **revisions()}.items()},
    **{f"platform-{name}": (tree, "local") for name, tree in platform_trees().items()},
    **{f"training-{name}": (tree, "local") for name, tree in TRAINING.items()},
    "queues": (workload_tree(), "local"),
}


@pytest.mark.parametrize("name", TREES)
def test_what_is_rendered_is_stored_as_it_is_written(name: str, delivery: Delivery, as_argo_cd: Connect) -> None:
    tree, where = TREES[name]
    account = _argo_cd(tree, where, as_argo_cd) or delivery.cluster
    branch = render_cluster(tree, where)
    assert delivery.sync(branch, account) == []
    assert list(_second_apply(branch, account)) == []


@pytest.mark.parametrize("engine", [validating_policies, kyverno_policies])
def test_the_policies_of_both_engines_are_stored_as_they_are_written(engine: Engine, delivery: Delivery) -> None:
    platform, cluster, _ = settings({"runAsNonRoot": "audit"})
    unit = Unit(UnitKind.CLUSTER, "local")
    branch = {manifest_path(unit, each): each for each in engine(platform, cluster)}
    assert delivery.sync(branch) == []
    assert list(_second_apply(branch, delivery.cluster)) == []


def _argo_cd(tree: Tree, name: str, as_argo_cd: Connect) -> Cluster | None:
    found = tree.cluster(name)
    assert found is not None
    return as_argo_cd(found.spec.kubernetes.argocd.namespace) if found.spec.kubernetes else None


def _second_apply(branch: Branch, account: Cluster) -> Iterator[str]:
    """Apply once more; yield what was stored otherwise than written, and what is written anew at each apply."""
    for path, manifest in branch.items():
        stored = until(lambda manifest=manifest: _unchanged(account, manifest), f"{path} is left as it is")  # type: ignore[misc]
        yield from (f"{path}: {line}" for line in drift(manifest, stored))


def _unchanged(account: Cluster, manifest: Manifest) -> Manifest | None:
    """Apply a manifest; return it as stored if that wrote nothing. A controller may have written at the same time."""
    before, after = account.stored(manifest), account.apply(manifest)
    same = before is not None and before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    return after if same else None
