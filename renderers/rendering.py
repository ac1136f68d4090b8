"""The translation of a whole tree: its units, what each depends on, and the table of their renderers.

A unit's manifests follow from its sources alone, so whoever keeps renderings keeps them by the blob ids of the
sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from intents.identity import Identity, path_of
from intents.kinds import Kind, ProjectSpec
from intents.tree import PLATFORM_PATH, AnyDocument, Tree
from renderers.canonical import Manifest
from renderers.deployments import render_deployment
from renderers.serving_runtime import render_serving_runtime
from renderers.unit import Unit, UnitKind, manifest_path

Renderer = Callable[[Tree, Unit], Iterable[Manifest]]

RENDERERS: Mapping[UnitKind, tuple[Renderer, ...]] = {
    UnitKind.CLUSTER: (render_serving_runtime,),
    UnitKind.TENANT: (),
    UnitKind.PROJECT: (),
    UnitKind.DEPLOYMENT: (render_deployment,),
    UnitKind.TRAINING_JOB: (),
}
"""What makes the manifests of a unit."""


def units(tree: Tree, cluster: str) -> Iterator[Unit]:
    """Yield every unit of a cluster: the cluster's own, its tenants', its projects' and their workloads'."""
    yield Unit(UnitKind.CLUSTER, cluster)
    projects = sorted(path for path, each in tree.of_kind(Kind.PROJECT).items() if _is_on(each, cluster))
    here = [document.identity for path in projects if (document := tree.get(path))]
    yield from (Unit(UnitKind.TENANT, cluster, tenant) for tenant in dict.fromkeys(who.tenant for who in here))
    for who in here:
        yield Unit(UnitKind.PROJECT, cluster, who.tenant, who.project)
        yield from _workloads(tree, cluster, who)


def sources(tree: Tree, unit: Unit) -> tuple[str, ...]:
    """Return the paths of all intents that a unit's manifests follow from, those that may come to be included."""
    shared = [PLATFORM_PATH, path_of(Identity(Kind.CLUSTER, unit.cluster))]
    if unit.tenant:
        shared.append(path_of(Identity(Kind.TENANT, unit.tenant, unit.tenant)))
    if unit.project:
        shared.append(path_of(Identity(Kind.PROJECT, unit.project, unit.tenant, unit.project)))
    return (*shared, *_own_sources(tree, unit))


def render_unit(tree: Tree, unit: Unit) -> dict[str, Manifest]:
    """Return a unit's manifests by their path on the rendered branch."""
    manifests = (manifest for renderer in RENDERERS[unit.kind] for manifest in renderer(tree, unit))
    return {manifest_path(unit, manifest): manifest for manifest in manifests}


def render_cluster(tree: Tree, cluster: str) -> dict[str, Manifest]:
    """Return all manifests of a cluster by their path on the rendered branch."""
    return {path: manifest for unit in units(tree, cluster) for path, manifest in render_unit(tree, unit).items()}


def _workloads(tree: Tree, cluster: str, project: Identity) -> Iterator[Unit]:
    where = (project.tenant, project.project)
    for kind, sort in ((UnitKind.DEPLOYMENT, Kind.MODEL_DEPLOYMENT), (UnitKind.TRAINING_JOB, Kind.TRAINING_JOB)):
        names = sorted(each.identity.name for each in tree.in_project(sort, *where).values())
        yield from (Unit(kind, cluster, *where, name) for name in names)


def _own_sources(tree: Tree, unit: Unit) -> tuple[str, ...]:
    match unit.kind:
        case UnitKind.TENANT:
            return tuple(each.path for each in tree.projects(unit.tenant).values())
        case UnitKind.DEPLOYMENT:
            return _deployment_sources(tree, unit)
        case UnitKind.TRAINING_JOB:
            job = tree.training_job(unit.tenant, unit.project, unit.name)
            template = tree.template(job.spec.template) if job else None
            return tuple(each.path for each in (job, template) if each)
        case _:
            return ()


def _deployment_sources(tree: Tree, unit: Unit) -> tuple[str, ...]:
    """Return the paths of a project's deployments and rollouts: what others use leaves room for this one, or none."""
    where = (unit.tenant, unit.project)
    kinds = (Kind.MODEL_DEPLOYMENT, Kind.ROLLOUT)
    own = (path_of(Identity(kind, unit.name, *where)) for kind in kinds)
    others = (path for kind in kinds for path in tree.in_project(kind, *where))
    return tuple(sorted({*own, *others}))


def _is_on(document: AnyDocument, cluster: str) -> bool:
    return isinstance(document.spec, ProjectSpec) and document.spec.cluster == cluster
