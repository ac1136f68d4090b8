"""Quotas and what asks for resources by itself, against what is above them: what could never be had is refused."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from intents.checks.amounts import CPUS, MEMORY, Place, Resource, amount, limit, limits, place, resources_of, said, unit
from intents.checks.rule import Change, differs, repeated
from intents.checks.traffic import projects_on
from intents.documents import Document
from intents.hints import nearest
from intents.kinds import ClusterSpec, Kind, ModelDeploymentSpec, ProjectSpec, TenantSpec
from intents.problems import Problem
from intents.tree import AnyDocument
from intents.usage import Amounts

_ABOVE = "quota-above-limit"


def project_quota_fits(change: Change) -> Iterator[Problem]:
    """A project may use no more than its tenant, and than its cluster has."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, ProjectSpec):
        return
    tenant, cluster = change.head.tenant(document.identity.tenant), change.head.cluster(spec.cluster)
    for resource, wanted in limits(spec).items():
        if cluster is not None and _unknown_gpu(cluster.spec, resource):
            yield _no_such_gpu(document, cluster, resource.gpu, place(spec, resource))
            continue
        for above, what in ((tenant, "tenant"), (cluster, "cluster")):
            allowed = limit(above.spec, resource) if above else None
            if above is not None and allowed is not None and wanted > allowed:
                yield _above(change, above, f"{what} {above.identity.name}", resource, (wanted, allowed))


def tenant_quota_fits(change: Change) -> Iterator[Problem]:
    """A tenant may use no more than all clusters have together."""
    document, spec = change.document, change.document.spec
    clusters = [each.spec for each in change.head.of_kind(Kind.CLUSTER).values() if isinstance(each.spec, ClusterSpec)]
    if not isinstance(spec, TenantSpec):
        return
    for resource, wanted in limits(spec).items():
        allowed = _of_all(clusters, resource)
        if allowed is not None and wanted > allowed:
            message = (
                f"tenant {document.identity.name} may use {said(wanted, resource)} {unit(resource)}, all clusters "
                f"together have {said(allowed, resource)}"
            )
            hint = f"at most {said(allowed, resource)}"
            yield document.problem(_ABOVE, message, *place(spec, resource), hint=hint)


def pools_differ(change: Change) -> Iterator[Problem]:
    """A cluster has one pool of a type: whoever asks for the type must know which nodes are meant."""
    document, spec = change.document, change.document.spec
    for position, gpu in repeated(pool.type for pool in spec.gpu_pools) if isinstance(spec, ClusterSpec) else ():
        message = f"two pools are of the type {gpu}"
        yield document.problem("duplicate-name", message, "spec", "gpuPools", position, "type", hint="rename one")


def deployment_gpus_exist(change: Change) -> Iterator[Problem]:
    """A pool of the cluster has the type of GPU that a version asks for."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, ModelDeploymentSpec) or not any(each.resources.gpus for each in spec.versions):
        return
    cluster = change.world.room(document.identity.tenant, document.identity.project).cluster
    for position, version in enumerate(spec.versions):
        for gpu in version.resources.gpus:
            if cluster is not None and _unknown_gpu(cluster.spec, Resource("gpus", gpu)):
                where = ("spec", "versions", position, "resources", "gpus", gpu)
                yield _no_such_gpu(document, cluster, gpu, where)


def could_fit(change: Change, needed: Amounts, what: str, where: Place) -> Iterator[Problem]:
    """Yield why `needed` can never be had in an intent's project, however long one waits."""
    document = change.document
    room = change.world.room(document.identity.tenant, document.identity.project)
    above = ((room.project, "project"), (room.tenant, "tenant"), (room.cluster, "cluster"))
    for resource in () if room.surely_holds(needed) else resources_of(needed):
        if room.cluster is not None and _unknown_gpu(room.cluster.spec, resource):
            yield _no_such_gpu(document, room.cluster, resource.gpu, where)
            continue
        for owner, sort in above:
            allowed = limit(owner.spec, resource) if owner else None
            if owner is not None and allowed is not None and amount(needed, resource) > allowed:
                message = (
                    f"{what} would need {said(amount(needed, resource), resource)} {unit(resource)}, {sort} "
                    f"{owner.identity.name} has {said(allowed, resource)}: it would wait for ever"
                )
                hint = f"ask for less, or a larger quota of {sort} {owner.identity.name}"
                yield document.problem("never-fits", message, *where, hint=hint)


def affected_by_limits(change: Change) -> set[str]:
    """Return the quotas below a changed one, and the deployments on a cluster that lost a type of GPU."""
    before, after = (each.spec if each else None for each in (change.before, change.after))
    if isinstance(after, TenantSpec) and isinstance(before, TenantSpec) and before.quota != after.quota:
        return {each.path for each in change.head.projects(change.document.identity.name).values()}
    if not isinstance(after, ClusterSpec) or not isinstance(before, ClusterSpec):
        return _affected_by_clusters(change, before or after)
    if (before.gpu_pools, before.capacity) == (after.gpu_pools, after.capacity):
        return set()
    found = projects_on(change.head, change.document.identity.name)
    projects = {project.path for where in found if (project := change.head.project(*where))}
    paths = {*change.head.of_kind(Kind.TENANT), *projects}
    if {pool.type for pool in before.gpu_pools} - {pool.type for pool in after.gpu_pools}:
        paths |= {path for where in found for path in change.head.in_project(Kind.MODEL_DEPLOYMENT, *where)}
    return paths


def _affected_by_clusters(change: Change, spec: object) -> set[str]:
    """A cluster that comes or goes changes what all have together."""
    return set(change.head.of_kind(Kind.TENANT)) if isinstance(spec, ClusterSpec) else set()


def _above(
    change: Change, above: AnyDocument, name: str, resource: Resource, amounts: tuple[Decimal, Decimal]
) -> Problem:
    """Tell it at the quota, or at the limit above where only that was changed."""
    document, (wanted, allowed) = change.document, amounts
    mine = f"project {document.identity.name} may use {said(wanted, resource)} {unit(resource)}"
    message = f"{mine}, {name} has {said(allowed, resource)}"
    if differs(change.base.get(above.path), above) and not differs(change.before, document):
        hint = f"lower the quota of project {document.identity.name} first, or in the same change"
        return above.problem(_ABOVE, message, *place(above.spec, resource), hint=hint)
    hint = f"at most {said(allowed, resource)}, or raise it for {name}"
    return document.problem(_ABOVE, message, *place(document.spec, resource), hint=hint)


def _unknown_gpu(cluster: ClusterSpec, resource: Resource) -> bool:
    return resource.field == "gpus" and cluster.gpu_pool(resource.gpu) is None


def _no_such_gpu(document: Document, cluster: Document[ClusterSpec], gpu: str, where: Place) -> Problem:
    hint = nearest(gpu, [pool.type for pool in cluster.spec.gpu_pools], "types")
    message = f"cluster {cluster.identity.name} has no pool of {gpu}"
    return document.problem("unknown-gpu-type", message, *where, hint=hint)


def _of_all(clusters: list[ClusterSpec], resource: Resource) -> Decimal | None:
    """Return what all clusters have; None where one of them sets no limit. A type that none has counts 0."""
    if resource in {CPUS, MEMORY}:
        found = [limit(each, resource) for each in clusters]
        known = [each for each in found if each is not None]
        return sum(known, Decimal(0)) if known and len(known) == len(found) else None
    return sum((limit(each, resource) or Decimal(0) for each in clusters), Decimal(0))
