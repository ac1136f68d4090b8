"""What a change and the other open changes use of the quotas of projects, tenants and clusters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from intents.documents import of_spec
from intents.identity import identify
from intents.kinds import ClusterSpec, Kind, ProjectSpec, TenantSpec
from intents.quantities import quantity_value
from intents.tree import AnyDocument, Tree
from intents.usage import peaks, total
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
Limits = Mapping[str, Decimal | None]
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
    totals = _Totals(base)
    for scope in sorted({*added, *_edited(paths)}, key=lambda each: (_ORDER.index(each[0]), each[1])):
        before, delta = totals.of(scope), added.get(scope, {})
        old, new = _limits(base, scope), _limits(head, scope)
        more = plus(*(each.get(scope, {}) for each in others))
        names = {*(name for name in delta if delta[name]), *_differing(old, new)}
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


@dataclass
class _Totals:
    """What is used in one tree. A project's deployments are added up once."""

    tree: Tree
    _projects: dict[tuple[str, str], Use] = field(default_factory=dict)

    def of(self, scope: Scope) -> Use:
        """Return the use of one quota."""
        level, name = scope
        match level:
            case Level.PROJECT:
                tenant, _, project = name.partition("/")
                return self._of_project(tenant, project)
            case Level.TENANT:
                return plus(*(self._of_project(name, project) for project in self.tree.projects(name)))
            case Level.CLUSTER:
                everywhere = (of_spec(each, ProjectSpec) for each in self.tree.of_kind(Kind.PROJECT).values())
                here = (each.identity for each in everywhere if each and each.spec.cluster == name)
                return plus(*(self._of_project(who.tenant, who.project) for who in here))

    def _of_project(self, tenant: str, project: str) -> Use:
        where = (tenant, project)
        if where not in self._projects:
            self._projects[where] = as_use(total(peaks(self.tree, tenant, project).values()))
        return self._projects[where]


def _limits(tree: Tree, scope: Scope) -> Limits | None:
    """Return the limits of a scope; None where it is not there."""
    level, name = scope
    document: AnyDocument | None
    match level:
        case Level.PROJECT:
            document = tree.project(*name.split("/"))
        case Level.TENANT:
            document = tree.tenant(name)
        case Level.CLUSTER:
            document = tree.cluster(name)
    match document.spec if document else None:
        case ProjectSpec(quota=quota) | TenantSpec(quota=quota):
            return {CPUS: _value(quota.cpus), MEMORY: _value(quota.memory), **_gpus(quota.gpus)}
        case ClusterSpec(capacity=capacity, gpu_pools=pools):
            gpus = _gpus({pool.type: pool.count for pool in pools})
            if capacity is None:
                return {CPUS: None, MEMORY: None, **gpus}
            return {CPUS: _value(capacity.cpus), MEMORY: _value(capacity.memory), **gpus}
    return None


def _gpus(counts: Mapping[str, int]) -> Limits:
    return {f"{GPUS}{name}": Decimal(count) for name, count in counts.items()}


def _value(quantity: str | None) -> Decimal | None:
    return None if quantity is None else quantity_value(quantity)


def _limit(limits: Limits | None, name: str) -> Decimal | None:
    """Return the limit of a resource; of a GPU type that a quota does not name there are none to use."""
    if limits is None:
        return None
    return limits.get(name, Decimal(0))


def _differing(old: Limits | None, new: Limits | None) -> Iterator[str]:
    """Yield the resources of which the limit differs, of what is there before and after."""
    if old is not None and new is not None:
        yield from (name for name in old.keys() | new.keys() if _limit(old, name) != _limit(new, name))
