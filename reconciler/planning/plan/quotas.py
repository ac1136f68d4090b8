"""What a change and the other open changes use of the quotas of projects, tenants and clusters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from intents.checks.amounts import Resource, limit
from intents.identity import identify
from intents.kinds import ClusterSpec, Kind, ProjectSpec, Spec, TenantSpec
from intents.totals import totals
from intents.tree import AnyDocument, Tree
from intents.usage import NOTHING
from reconciler.planning.plan.amounts import CPUS, GPUS, MEMORY, Amount, Use, as_use, minus, plus, resource_order
from reconciler.planning.plan.deployments import Touched


class Level(StrEnum):
    """Whose quota."""

    PROJECT = "project"
    TENANT = "tenant"
    CLUSTER = "cluster"


@dataclass(frozen=True)
class QuotaUse:
    """What all deployments together use of one quota at their peaks; a limit of null is none.

    `with_others` is `after` and what the other open changes would add. The resources are `cpus`, `memory` in bytes
    and `gpus/<type>`.
    """

    level: Level
    name: str
    """`<tenant>/<project>`, the tenant or the cluster."""
    resource: str
    before: Amount
    after: Amount
    with_others: Amount
    limit_before: Amount | None
    limit_after: Amount | None
    exceeded: bool
    """Whether `after` is above the limit."""
    exceeded_with_others: bool


_ORDER = tuple(Level)
Scope = tuple[Level, str]
Deltas = Mapping[Scope, Use]


def added_use(base: Tree, head: Tree, touched: Iterable[Touched]) -> dict[Scope, dict[str, Decimal]]:
    """Return what the deployments of a change add to the use of each quota they fall under."""
    found: dict[Scope, dict[str, Decimal]] = {}
    for each in touched:
        added = minus(each.after.peak.use, each.before.peak.use)
        for scope in _scopes(base, head, each):
            found[scope] = plus(found.get(scope, {}), added)
    return found


def quota_uses(
    base: Tree, head: Tree, paths: Iterable[str], added: Deltas, others: Sequence[Deltas] = ()
) -> Iterator[QuotaUse]:
    """Yield the quotas of which the use, or the quota itself, changes."""
    for scope in sorted({*added, *_edited(paths)}, key=lambda each: (_ORDER.index(each[0]), each[1])):
        before, delta = _used(base, scope), added.get(scope, {})
        old, new = _owner(base, scope), _owner(head, scope)
        more = plus(*(each.get(scope, {}) for each in others))
        names = {*(name for name in delta if delta[name]), *_moved(old, new)}
        for name in sorted(names, key=resource_order):
            used = before.get(name, Decimal(0)), before.get(name, Decimal(0)) + delta.get(name, Decimal(0))
            yield _quota_use(scope, name, used, more.get(name, Decimal(0)), (_limit(old, name), _limit(new, name)))


def _quota_use(
    scope: Scope,
    name: str,
    used: tuple[Decimal, Decimal],
    others: Decimal,
    limits: tuple[Decimal | None, Decimal | None],
) -> QuotaUse:
    after, limit = used[1], limits[1]
    return QuotaUse(
        *scope,
        resource=name,
        before=used[0],
        after=after,
        with_others=after + others,
        limit_before=limits[0],
        limit_after=limit,
        exceeded=limit is not None and after > limit,
        exceeded_with_others=limit is not None and after + others > limit,
    )


def _scopes(base: Tree, head: Tree, touched: Touched) -> Iterator[Scope]:
    yield Level.PROJECT, f"{touched.tenant}/{touched.project}"
    yield Level.TENANT, touched.tenant
    project = head.project(touched.tenant, touched.project) or base.project(touched.tenant, touched.project)
    if project is not None:
        yield Level.CLUSTER, project.spec.cluster


def _edited(paths: Iterable[str]) -> Iterator[Scope]:
    """Yield whose quota the intents at `paths` hold."""
    for path in paths:
        who = identify(path)
        match who.kind if who else None:
            case Kind.PROJECT if who:
                yield Level.PROJECT, f"{who.tenant}/{who.name}"
            case Kind.TENANT if who:
                yield Level.TENANT, who.name
            case Kind.CLUSTER if who:
                yield Level.CLUSTER, who.name


def _used(tree: Tree, scope: Scope) -> Use:
    """Return what is used of one quota."""
    (level, name), used = scope, totals(tree)
    match level:
        case Level.PROJECT:
            tenant, _, project = name.partition("/")
            found = used.projects.get((tenant, project), NOTHING)
        case Level.TENANT:
            found = used.tenants.get(name, NOTHING)
        case Level.CLUSTER:
            found = used.clusters.get(name, NOTHING)
    return as_use(found)


def _owner(tree: Tree, scope: Scope) -> AnyDocument | None:
    """Return the intent that holds a quota."""
    level, name = scope
    match level:
        case Level.PROJECT:
            return tree.project(*name.split("/"))
        case Level.TENANT:
            return tree.tenant(name)
        case Level.CLUSTER:
            return tree.cluster(name)


def _limit(owner: AnyDocument | None, resource: str) -> Decimal | None:
    """Return the limit of a resource; of a type of GPU that a cluster has no pool of there are none to use."""
    if owner is None:
        return None
    field, _, gpu = resource.partition("/")
    found = limit(owner.spec, Resource(field, gpu))
    return Decimal(0) if gpu and found is None else found


def _moved(old: AnyDocument | None, new: AnyDocument | None) -> Iterator[str]:
    """Yield the resources of which the limit differs, of what is there before and after."""
    if old is not None and new is not None and old.spec != new.spec:
        gpus = {f"{GPUS}{gpu}" for each in (old, new) for gpu in _gpus(each.spec)}
        yield from (name for name in (CPUS, MEMORY, *gpus) if _limit(old, name) != _limit(new, name))


def _gpus(spec: Spec) -> Iterable[str]:
    match spec:
        case ProjectSpec(quota=quota) | TenantSpec(quota=quota):
            return quota.gpus
        case ClusterSpec(gpu_pools=pools):
            return [pool.type for pool in pools]
    return ()
