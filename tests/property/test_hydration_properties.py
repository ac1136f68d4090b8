"""Following the paths that changed comes to the same as rendering everything anew."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intents.tree import Tree
from intents.writing import blob_id
from reconciler.planning.hydration import Files, Renderings
from renderers.rendering import render_cluster
from tests.fixtures.tenancy import full_specs
from tests.fixtures.trees import CHURN, GLOBEX, document, small_specs

Specs = dict[str, dict[str, Any]]
SMALL, FULL = small_specs(), full_specs()
REMOVABLE = [path for path in sorted(SMALL) if "/projects/" in path]
"""What may go alone: a project's tenant, cluster or template may not."""


@st.composite
def changes(draw: st.DrawFn) -> Specs | dict[str, None]:
    """Some intents as they are in one of two trees, or gone."""
    paths = draw(st.sets(st.sampled_from(sorted(SMALL)), min_size=1))
    made: dict[str, Any] = {path: draw(st.sampled_from([SMALL, FULL]))[path] for path in paths}
    return {path: None if path in REMOVABLE and draw(st.booleans()) else spec for path, spec in made.items()}


def _apply(branch: dict[str, str], files: Files) -> None:
    for path, body in files.items():
        if body is None:
            del branch[path]
        else:
            branch[path] = blob_id(body)


def _advance(tree: Tree, change: dict[str, Any]) -> Tree:
    return tree.advance({path: None if spec is None else document(path, spec) for path, spec in change.items()})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(changes(), max_size=5))
def test_each_change_leads_to_what_a_fresh_rendering_has(steps: list[dict[str, Any]]) -> None:
    tree = _advance(Tree.empty(), SMALL)
    renderings, branch = Renderings("local"), dict[str, str]()
    _apply(branch, renderings.advance(tree, None)[0])
    for step in steps:
        tree = _advance(tree, step)
        files, _ = renderings.advance(tree, step)
        _apply(branch, files)
        fresh = Renderings("local")
        fresh.advance(tree, None)
        assert branch == renderings.files() == fresh.files()
        assert set(branch) == set(render_cluster(tree, "local"))


def test_a_change_costs_what_follows_from_it() -> None:
    tree = _advance(Tree.empty(), SMALL)
    renderings = Renderings("local")
    renderings.advance(tree, None)
    moved = tree.advance({GLOBEX: document(GLOBEX, {**SMALL[GLOBEX], "displayName": "Other"})})
    _, affected = renderings.advance(moved, [GLOBEX])
    assert {(unit.tenant, unit.project) for unit in affected} == {("globex", ""), ("globex", "churn")}
    files, affected = renderings.advance(moved, ["tenants/acme/projects/fraud/models/fraud/1.yaml", "README.md"])
    assert (files, list(affected)) == ({}, [])
    gone = moved.advance({CHURN: None, GLOBEX: None})
    files, _ = renderings.advance(gone, [CHURN, GLOBEX])
    assert files
    assert set(files.values()) == {None}
    assert all(path.startswith("platform/tenants/globex/") for path in files)
    _, affected = renderings.advance(gone, [GLOBEX])
    assert list(affected) == [], "what is gone follows from nothing"
    back, _ = renderings.advance(moved, [CHURN, GLOBEX])
    assert back.keys() == files.keys()
    assert None not in back.values()
