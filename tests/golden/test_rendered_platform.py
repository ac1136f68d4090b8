"""What fences tenants, opens the edge and delivers, as kept."""

from __future__ import annotations

import pytest

from intents.tree import Tree
from renderers.canonical import to_yaml
from tests.fixtures.tenancy import fences, platform_trees
from tests.golden.golden_files import check_golden


@pytest.mark.parametrize(("name", "tree"), platform_trees().items(), ids=platform_trees())
def test_fences_are_rendered_as_kept(name: str, tree: Tree) -> None:
    kept = {path: to_yaml(manifest) for path, manifest in fences(tree) if "globex" not in path}
    check_golden(f"platform/{name}", kept)
