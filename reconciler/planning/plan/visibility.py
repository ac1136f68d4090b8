"""What one tenant may see of a plan: its own, and nothing of another's names and use.

A cluster is shared, so how much of it is used tells what others use; only platform admins see that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from intents.checks import Facts
from intents.identity import namespace
from intents.problems import Problem
from intents.tree import Tree
from reconciler.planning.plan import plan_change
from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.cost import FREE, Cost
from reconciler.planning.plan.others import OpenChange
from reconciler.planning.plan.quotas import Level, QuotaUse
from reconciler.planning.plan.radius import BlastRadius

UNNAMED = "an open change that is not only yours"


def folder_of(tenant: str) -> str:
    """Return where all intents of a tenant lie."""
    return f"tenants/{tenant}/"


def plan_for_tenant(
    base: Tree,
    head: Tree,
    changed: Collection[str],
    tenant: str,
    *,
    now: datetime,
    others: Sequence[OpenChange] = (),
    problems: Iterable[Problem] | None = None,
    facts: Facts | None = None,
) -> ChangePlan:
    """Return the plan of a change in one tenant, as its members may see it; arguments as for `plan_change`.

    Raises ValueError for a path outside the tenant: whoever asks has to refuse that first.
    """
    if foreign := [path for path in changed if not path.startswith(folder_of(tenant))]:
        raise ValueError(f"{foreign[0]} is not in tenant {tenant}")
    mine = list(_of_tenant(others, tenant))
    plan = plan_change(base, head, changed, now=now, others=mine, problems=problems, facts=facts)
    return narrowed(plan, tenant)


def _of_tenant(others: Iterable[OpenChange], tenant: str) -> Iterator[OpenChange]:
    """Yield the parts of open changes that lie in the tenant; a change with other parts is not named."""
    for each in others:
        inside = {path: document for path, document in each.documents.items() if path.startswith(folder_of(tenant))}
        if inside:
            yield OpenChange(each.name if len(inside) == len(each.documents) else UNNAMED, inside)


def narrowed(plan: ChangePlan, tenant: str) -> ChangePlan:
    """Return what of a plan is the tenant's. Its other open changes stay: they have to be the tenant's already."""
    folder, rendered = folder_of(tenant), (f"{tenant}/", f"platform/tenants/{tenant}/")
    manifests = tuple(each for each in plan.manifests if each.path.startswith(rendered))
    return replace(
        plan,
        intents=tuple(each for each in plan.intents if each.path.startswith(folder)),
        manifests=manifests,
        unrendered=tuple(each for each in plan.unrendered if each.tenant == tenant),
        pods=tuple(each for each in plan.pods if each.namespace.startswith(namespace(tenant, ""))),
        traffic=tuple(each for each in plan.traffic if each.tenant == tenant),
        deployments=tuple(each for each in plan.deployments if each.tenant == tenant),
        quotas=tuple(each for each in plan.quotas if _is_own_quota(each, tenant)),
        schedules=tuple(each for each in plan.schedules if each.path.startswith(folder)),
        cost=_cost(plan.cost, tenant),
        policies=tuple(each for each in plan.policies if each.namespace.startswith(namespace(tenant, ""))),
        radius=BlastRadius(
            tenants=tuple(each for each in plan.radius.tenants if each == tenant),
            projects=tuple(each for each in plan.radius.projects if each.startswith(f"{tenant}/")),
            clusters=tuple(sorted({each.cluster for each in manifests})),
        ),
        limits=tuple(replace(each, of=None) for each in plan.limits),
        problems=tuple(each.within_tenant() for each in plan.problems if each.path.startswith(folder)),
    )


def _is_own_quota(use: QuotaUse, tenant: str) -> bool:
    return use.level is not Level.CLUSTER and use.name.partition("/")[0] == tenant


def _cost(cost: Cost | None, tenant: str) -> Cost | None:
    if cost is None or not (mine := tuple(each for each in cost.deployments if each.tenant == tenant)):
        return None
    before, after = (sum(each, FREE) for each in zip(*((item.before, item.after) for item in mine), strict=True))
    return replace(cost, before=before, after=after, deployments=mine)
