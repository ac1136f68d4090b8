from __future__ import annotations

import pytest

from intents.tree import Tree
from renderers.canonical import to_yaml
from renderers.rendering import render_unit
from tests.fixtures.serving import SCORING, situations
from tests.golden.golden_files import check_golden


@pytest.mark.parametrize(("name", "tree"), situations().items(), ids=situations())
def test_a_deployment_is_rendered_as_kept(name: str, tree: Tree) -> None:
    manifests = render_unit(tree, SCORING)
    check_golden(f"deployments/{name}", {path: to_yaml(manifest) for path, manifest in manifests.items()})
