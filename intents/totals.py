"""What all deployments of a project, a tenant and a cluster may use at once, summed once for many trees.

Trees that follow each other share the indexes of what did not change. Sums are remembered by the identity of the
indexes they were made from, for as long as those live: a tree in which no deployment changed costs nothing, one
with a changed deployment costs its project, and any other tree one look at each project.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from immutables import Map

from intents.documents import of_spec
from intents.identity import identify
from intents.kinds import Kind, ProjectSpec
from intents.tree import AnyDocument, Tree
from intents.usage import NOTHING, Amounts, peaks, total

V = TypeVar("V")
ProjectKey = tuple[str, str]
"""Tenant and project."""
COUNTED = (Kind.MODEL_DEPLOYMENT, Kind.ROLLOUT, Kind.PROJECT)
"""The kinds that sums are made of."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Peaks of usage (`intents.usage.peak`), summed."""

    projects: Map[ProjectKey, Amounts]
    tenants: Map[str, Amounts]
    clusters: Map[str, Amounts]


def totals(tree: Tree) -> Totals:
    """Return the sums of a tree."""
    return _TOTALS.get(_kinds(tree), lambda: _summed(tree))


def totals_after(base: Tree, head: Tree, changed: Collection[str]) -> Totals:
    """Return the sums of `head`, which differs from `base` at the paths `changed` only."""
    before = totals(base)
    return _TOTALS.get(_kinds(head), lambda: _moved(before, base, head, changed))


def _kinds(tree: Tree) -> tuple[Mapping[str, AnyDocument], ...]:
    return tuple(tree.of_kind(kind) for kind in COUNTED)


def _summed(tree: Tree) -> Totals:
    projects, tenants, clusters = {}, dict[str, Amounts](), dict[str, Amounts]()
    for document in tree.of_kind(Kind.PROJECT).values():
        project = of_spec(document, ProjectSpec)
        used = _used(tree, document.identity.tenant, document.identity.name)
        if project is None or used is NOTHING:
            continue
        tenant, cluster = document.identity.tenant, project.spec.cluster
        projects[tenant, document.identity.name] = used
        tenants[tenant] = tenants.get(tenant, NOTHING) + used
        clusters[cluster] = clusters.get(cluster, NOTHING) + used
    return Totals(Map(projects), Map(tenants), Map(clusters))


def _moved(before: Totals, base: Tree, head: Tree, changed: Collection[str]) -> Totals:
    found = before
    for tenant, project in _projects_of(changed):
        found = _without(found, base, tenant, project)
        found = _with(found, head, tenant, project)
    return found


def _projects_of(changed: Collection[str]) -> set[ProjectKey]:
    identities = (identify(path) for path in changed)
    return {(each.tenant, each.project) for each in identities if each and each.kind in COUNTED}


def _without(found: Totals, tree: Tree, tenant: str, project: str) -> Totals:
    document, used = tree.project(tenant, project), found.projects.get((tenant, project))
    if document is None or used is None:
        return found
    cluster = document.spec.cluster
    return Totals(
        found.projects.delete((tenant, project)),
        found.tenants.set(tenant, found.tenants[tenant] - used),
        found.clusters.set(cluster, found.clusters[cluster] - used),
    )


def _with(found: Totals, tree: Tree, tenant: str, project: str) -> Totals:
    document, used = tree.project(tenant, project), _used(tree, tenant, project)
    if document is None or used is NOTHING:
        return found
    cluster = document.spec.cluster
    return Totals(
        found.projects.set((tenant, project), used),
        found.tenants.set(tenant, found.tenants.get(tenant, NOTHING) + used),
        found.clusters.set(cluster, found.clusters.get(cluster, NOTHING) + used),
    )


def _used(tree: Tree, tenant: str, project: str) -> Amounts:
    deployments = tree.in_project(Kind.MODEL_DEPLOYMENT, tenant, project)
    if not deployments:
        return NOTHING
    key = (deployments, tree.in_project(Kind.ROLLOUT, tenant, project))
    return _PROJECTS.get(key, lambda: total(peaks(tree, tenant, project).values()))


class _Remembered(Generic[V]):
    """Values by the identity of the maps they were made from; gone with the first of those."""

    def __init__(self) -> None:
        self._entries: dict[tuple[int, ...], tuple[tuple[weakref.ref[Mapping[str, AnyDocument]], ...], V]] = {}

    def get(self, maps: tuple[Mapping[str, AnyDocument], ...], make: Callable[[], V]) -> V:
        key = tuple(map(id, maps))
        found = self._entries.get(key)
        if found is not None and all(ref() is each for ref, each in zip(found[0], maps, strict=True)):
            return found[1]
        value = make()
        entries = self._entries  # not self: what a weak reference calls holds on to what it names
        references = tuple(weakref.ref(each, lambda _: entries.pop(key, None)) for each in maps)
        self._entries[key] = (references, value)
        return value


_TOTALS = _Remembered[Totals]()
_PROJECTS = _Remembered[Amounts]()
