from __future__ import annotations

import pytest

from intents.tree import Tree
from renderers.canonical import to_yaml
from renderers.deployments import render_deployment
from tests.fixtures.serving import situations
from tests.golden.golden_files import check_golden


@pytest.mark.parametrize(("name", "tree"), situations().items(), ids=situations())
def test_a_deployment_is_rendered_as_kept(name: str, tree: Tree) -> None:
    manifests = render_deployment(tree, "acme", "fraud", "scoring")
    check_golden(f"deployments/{name}", {path: to_yaml(manifest) for path, manifest in manifests.items()})
