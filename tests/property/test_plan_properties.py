"""What holds for every plan, of any change from any tree to any other."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from intents.kinds import Kind
from intents.tree import Tree
from intents.usage import peak, peaks, total
from reconciler.planning.plan import ChangePlan, plan_change, to_json
from reconciler.planning.plan.affected import affected_units
from reconciler.planning.plan.amounts import as_use
from reconciler.planning.plan.deployments import touched_deployments
from reconciler.planning.plan.diff import Change, FieldDifference, differences
from reconciler.planning.plan.quotas import Level
from renderers.canonical import Manifest
from renderers.rendering import render_cluster, sources, units
from tests.fixtures.changes import NOON, readable, situations
from tests.fixtures.examples import example_tree
from tests.property.strategies import JSON
from tests.support.differences import applied, unordered

SITUATIONS = situations()
CLUSTERS = ("main", "burst")
CHANGES = st.sets(st.sampled_from(sorted(SITUATIONS)), max_size=4)
PATHS = sorted({*example_tree(), *(path for each in SITUATIONS.values() for path in each.files)})


def tree(names: set[str]) -> Tree:
    """Return the example repository with some changes made, one over the other."""
    files = {path: body for name in sorted(names) for path, body in SITUATIONS[name].files.items()}
    return example_tree().advance(readable(files)[0])


TREES = CHANGES.map(tree)
NAMED = st.dictionaries(st.sampled_from(["name", "weight", "x"]), JSON, max_size=3)
DOCUMENTS = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3) | st.lists(NAMED, max_size=4),
    max_leaves=12,
)


def plan(base: Tree, head: Tree, paths: Any = PATHS) -> ChangePlan:
    return plan_change(base, head, paths, now=NOON)


@settings(max_examples=100, deadline=None)
@given(before=DOCUMENTS, after=DOCUMENTS)
def test_differences_lead_from_one_document_to_the_other(before: JsonValue, after: JsonValue) -> None:
    assert unordered(applied(before, differences(before, after))) == unordered(after)
    assert list(differences(before, before)) == []


@settings(max_examples=20, deadline=None)
@given(base=TREES)
def test_a_plan_of_no_change_says_nothing(base: Tree) -> None:
    empty = plan(base, base)
    assert [each.name for each in fields(empty) if getattr(empty, each.name)] == ["radius"]
    assert empty.radius.tenants == empty.radius.projects == empty.radius.clusters == ()


@settings(max_examples=20, deadline=None)
@given(base=TREES, head=TREES, paths=st.permutations(PATHS))
def test_the_order_of_paths_does_not_show(base: Tree, head: Tree, paths: list[str]) -> None:
    differing = [path for path in paths if base.get(path) != head.get(path)]
    assert to_json(plan(base, head, differing)) == to_json(plan(base, head))


@settings(max_examples=20, deadline=None)
@given(base=TREES, head=TREES)
def test_the_plan_back_mirrors_the_plan_forth(base: Tree, head: Tree) -> None:
    forth, back = plan(base, head), plan(head, base)
    assert [_mirrored(each) for each in forth.intents] == [_sorted(each) for each in back.intents]
    assert [_mirrored(each) for each in forth.manifests] == [_sorted(each) for each in back.manifests]
    assert [(each.path, each.after, each.before) for each in forth.schedules] == [
        (each.path, each.before, each.after) for each in back.schedules
    ]
    assert [(each.level, each.name, each.resource, each.after, each.before) for each in forth.quotas] == [
        (each.level, each.name, each.resource, each.before, each.after) for each in back.quotas
    ]
    assert [(each.deployment, each.replicas_after) for each in forth.deployments] == [
        (each.deployment, each.replicas_before) for each in back.deployments
    ]
    assert _weights(forth, forwards=True) == _weights(back, forwards=False)
    costs = [(each.cost.before, each.cost.after) if each.cost else None for each in (forth, back)]
    assert costs[0] == (costs[1][::-1] if costs[1] else None)
    assert forth.radius == back.radius


_OPPOSITE = {Change.ADDED: Change.REMOVED, Change.REMOVED: Change.ADDED, Change.CHANGED: Change.CHANGED}


def _mirrored(change: Any) -> tuple[Change, str, list[FieldDifference]]:
    turned = (FieldDifference(_OPPOSITE[each.change], each.path, each.after, each.before) for each in change.fields)
    return _OPPOSITE[change.change], change.path, sorted(turned, key=lambda each: (each.path, each.change))


def _sorted(change: Any) -> tuple[Change, str, list[FieldDifference]]:
    return change.change, change.path, sorted(change.fields, key=lambda each: (each.path, each.change))


def _weights(found: ChangePlan, *, forwards: bool) -> set[tuple[str, str, str, tuple[int | None, ...]]]:
    return {
        (each.deployment, version.name, version.digest, (version.before, version.after)[:: 1 if forwards else -1])
        for each in found.traffic
        for version in each.versions
        if version.before is not None or version.after is not None
    }


@settings(max_examples=20, deadline=None)
@given(base=TREES, head=TREES)
def test_the_manifests_of_a_plan_lead_from_one_rendering_to_the_other(base: Tree, head: Tree) -> None:
    before, after, found = _rendered(base), _rendered(head), plan(base, head)
    assert found.unrendered == ()
    changes = {(each.cluster, each.path): each for each in found.manifests}
    assert changes.keys() == {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    for key, each in changes.items():
        assert each.change is _change(before.get(key), after.get(key))
        if each.change is Change.CHANGED:
            assert unordered(applied(before[key], each.fields)) == unordered(after[key])


def _rendered(of: Tree) -> dict[tuple[str, str], Manifest]:
    return {(name, path): each for name in CLUSTERS for path, each in render_cluster(of, name).items()}


def _change(before: Manifest | None, after: Manifest | None) -> Change:
    return Change.ADDED if before is None else Change.REMOVED if after is None else Change.CHANGED


@settings(max_examples=10, deadline=None)
@given(of=TREES)
def test_a_changed_source_reaches_every_unit_that_follows_from_it(of: Tree) -> None:
    followers: dict[str, set[Any]] = {}
    for name in CLUSTERS:
        for unit in units(of, name):
            for path in sources(of, unit):
                followers.setdefault(path, set()).add(unit)
    for path, expected in followers.items():
        assert expected <= set(affected_units(of, of, [path])), path


@settings(max_examples=20, deadline=None)
@given(base=TREES, head=TREES)
def test_the_use_of_quotas_is_what_all_deployments_use(base: Tree, head: Tree) -> None:
    for each in plan(base, head).quotas:
        assert each.before == _used(base, each.level, each.name).get(each.resource, 0)
        assert each.after == _used(head, each.level, each.name).get(each.resource, 0)


def _used(of: Tree, level: Level, name: str) -> Any:
    def counts(tenant: str, project: str, cluster: str) -> bool:
        return name == {Level.PROJECT: f"{tenant}/{project}", Level.TENANT: tenant, Level.CLUSTER: cluster}[level]

    projects = [of.project(each.identity.tenant, each.identity.name) for each in of.of_kind(Kind.PROJECT).values()]
    here = [
        each.identity
        for each in projects
        if each and counts(each.identity.tenant, each.identity.name, each.spec.cluster)
    ]
    return as_use(total(amount for who in here for amount in peaks(of, who.tenant, who.project).values()))


@settings(max_examples=20, deadline=None)
@given(base=TREES, head=TREES)
def test_the_terms_of_a_peak_add_up_to_the_languages_peak(base: Tree, head: Tree) -> None:
    for each in touched_deployments(base, head, PATHS):
        for standing in (each.before, each.after):
            target, rollout = standing.target, standing.rollout
            expected = peak(target.spec, rollout.spec if rollout else None) if target else peak(None, None)
            assert {name: value for name, value in standing.peak.use.items() if value} == {
                name: value for name, value in as_use(expected).items() if value
            }
