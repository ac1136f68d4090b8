"""The translation of a whole tree: its units, what each depends on, and the table of their renderers.

A unit's manifests follow from its sources alone, so whoever keeps renderings keeps them by the blob ids of the
sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from intents.identity import Identity, identify, path_of
from intents.kinds import Kind, ProjectSpec
from intents.tree import PLATFORM_PATH, AnyDocument, Tree
from renderers.access import render_access
from renderers.admission import render_default_seccomp, render_workflow_names
from renderers.argocd import render_delivery, render_tenant_delivery
from renderers.canonical import Manifest
from renderers.deployments import render_deployment
from renderers.edge import render_edge, render_tenant_host
from renderers.edge_policies import render_deployment_policies, render_edge_policies, render_tenant_policies
from renderers.kueue import render_cluster_queue, render_flavors, render_local_queue, render_serving_priority
from renderers.namespace import render_namespace
from renderers.network import render_network
from renderers.policies.engines import render_policies
from renderers.serving_runtime import render_serving_runtime
from renderers.storage_initializer import render_storage_initializer
from renderers.trainer import render_runtimes, render_training_job
from renderers.unit import Unit, UnitKind, manifest_path

Renderer = Callable[[Tree, Unit], Iterable[Manifest]]

RENDERERS: Mapping[UnitKind, tuple[Renderer, ...]] = {
    UnitKind.CLUSTER: (
        render_serving_runtime,
        render_storage_initializer,
        render_runtimes,
        render_edge,
        render_edge_policies,
        render_delivery,
        render_workflow_names,
        render_default_seccomp,
        render_policies,
        render_flavors,
        render_serving_priority,
    ),
    UnitKind.TENANT: (render_tenant_host, render_tenant_policies, render_tenant_delivery, render_cluster_queue),
    UnitKind.PROJECT: (render_namespace, render_network, render_access, render_local_queue),
    UnitKind.DEPLOYMENT: (render_deployment, render_deployment_policies),
    UnitKind.TRAINING_JOB: (render_training_job,),
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


def units_of(tree: Tree, cluster: str, path: str) -> Iterator[Unit]:
    """Yield the units of a cluster that are there because of the intent at `path`."""
    who = identify(path)
    match who.kind if who else None:
        case Kind.PROJECT if who:
            mine = (
                Unit(UnitKind.TENANT, cluster, who.tenant),
                Unit(UnitKind.PROJECT, cluster, who.tenant, who.project),
            )
            found: Iterable[Unit] = (*mine, *_workloads(tree, cluster, who))
        case Kind.MODEL_DEPLOYMENT | Kind.TRAINING_JOB if who:
            found = [Unit(_WORKLOADS[who.kind], cluster, who.tenant, who.project, who.name)]
        case _:
            found = ()
    return (unit for unit in found if is_there(tree, unit))


def is_there(tree: Tree, unit: Unit) -> bool:
    """Say whether `units` yields this unit."""
    match unit.kind:
        case UnitKind.CLUSTER:
            return True
        case UnitKind.TENANT:
            return any(_is_on(each, unit.cluster) for each in tree.projects(unit.tenant).values())
    project = tree.project(unit.tenant, unit.project)
    if project is None or not _is_on(project, unit.cluster):
        return False
    return unit.kind is UnitKind.PROJECT or _workload(tree, unit) is not None


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


_WORKLOADS = {Kind.MODEL_DEPLOYMENT: UnitKind.DEPLOYMENT, Kind.TRAINING_JOB: UnitKind.TRAINING_JOB}


def _workloads(tree: Tree, cluster: str, project: Identity) -> Iterator[Unit]:
    where = (project.tenant, project.project)
    for sort, kind in _WORKLOADS.items():
        names = sorted(each.identity.name for each in tree.in_project(sort, *where).values())
        yield from (Unit(kind, cluster, *where, name) for name in names)


def _workload(tree: Tree, unit: Unit) -> AnyDocument | None:
    find = tree.deployment if unit.kind is UnitKind.DEPLOYMENT else tree.training_job
    return find(unit.tenant, unit.project, unit.name)


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
