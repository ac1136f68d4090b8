"""What fences tenants, opens the edge and delivers, as kept; deployments' own manifests are kept beside."""

from __future__ import annotations

import pytest

from intents.tree import Tree
from renderers.canonical import to_yaml
from renderers.rendering import render_unit, units
from renderers.unit import UnitKind
from tests.fixtures.tenancy import platform_trees
from tests.golden.golden_files import check_golden

PLATFORMS_OWN = (UnitKind.CLUSTER, UnitKind.TENANT, UnitKind.PROJECT)


@pytest.mark.parametrize(("name", "tree"), platform_trees().items(), ids=platform_trees())
def test_the_platforms_own_manifests_are_rendered_as_kept(name: str, tree: Tree) -> None:
    mine = [unit for unit in units(tree, "local") if unit.kind in PLATFORMS_OWN and unit.tenant in {"", "acme"}]
    manifests = {path: each for unit in mine for path, each in render_unit(tree, unit).items()}
    check_golden(f"platform/{name}", {path: to_yaml(each) for path, each in manifests.items()})
