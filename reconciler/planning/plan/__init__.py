"""The plan of a change: without a cluster, what it does to everything it reaches. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from intents.checks import Facts, not_checked
from intents.documents import of_spec
from intents.kinds import Kind, PlatformSpec
from intents.kinds.platform import Prices
from intents.problems import Problem
from intents.tree import PLATFORM_PATH, Tree
from reconciler.planning.plan.affected import affected_units
from reconciler.planning.plan.capacity import deployment_uses
from reconciler.planning.plan.change_plan import ChangePlan, to_json
from reconciler.planning.plan.cost import Cost, cost
from reconciler.planning.plan.deployments import Touched, touched_deployments, walked
from reconciler.planning.plan.firings import schedule_firings
from reconciler.planning.plan.intents import changed_paths, intent_changes
from reconciler.planning.plan.manifests import Pair, Rendering, manifest_changes, pairs_of, render
from reconciler.planning.plan.others import OpenChange, beside
from reconciler.planning.plan.pods import When, pod_changes
from reconciler.planning.plan.policy import policy_verdicts
from reconciler.planning.plan.problems import problems_of
from reconciler.planning.plan.quotas import added_use, quota_uses
from reconciler.planning.plan.radius import blast_radius, change_limits
from reconciler.planning.plan.traffic import traffic
from reconciler.planning.validation import in_order

__all__ = ["ChangePlan", "OpenChange", "plan_change", "problems_of", "to_json"]


def plan_change(
    base: Tree,
    head: Tree,
    changed: Collection[str],
    *,
    now: datetime,
    others: Sequence[OpenChange] = (),
    problems: Iterable[Problem] | None = None,
    facts: Facts | None = None,
    cluster: str | None = None,
) -> ChangePlan:
    """Return what the change from `base` to `head` does; `changed` names the paths that may differ.

    Only what the change reaches is looked at, so a plan costs as much as its change. `now` is an aware time, from
    which schedules are counted on. `others` are changes that are open beside this one, each against `base`.
    `problems` are those of a caller who has looked for them already, others as `problems_of` finds them; where a
    document cannot be read, `head` has what stood there before. `facts` are what only the ledger knows. With
    `cluster`, only what is on that one is planned.
    """
    paths = changed_paths(base, head, changed)
    touched = [each for each in touched_deployments(base, head, paths) if _is_on(base, head, each, cluster)]
    units = [each for each in affected_units(base, head, paths) if cluster in {None, each.cluster}]
    before, after = render(base, units), render(head, units)
    pairs = pairs_of(before, after)
    arrived, later = _walked(head, after, touched)
    besides = [beside(base, paths, other) for other in sorted(others, key=lambda each: each.name)]
    return ChangePlan(
        intents=tuple(intent_changes(base, head, paths)),
        manifests=tuple(manifest_changes(pairs)),
        unrendered=tuple(dict.fromkeys((*after.unrendered, *before.unrendered))),
        pods=(*pod_changes(pairs, head, When.AT_ONCE), *pod_changes(later, arrived, When.BY_ROLLOUT)),
        traffic=tuple(traffic(touched)),
        deployments=tuple(deployment_uses(touched)),
        quotas=tuple(quota_uses(base, head, paths, added_use(base, head, touched), [each.added for each in besides])),
        others=tuple(each.shown for each in besides),
        schedules=tuple(schedule_firings(base, head, paths, now)),
        cost=_cost(base, head, touched, cluster),
        policies=tuple(policy_verdicts(base, head, before, after, (*pairs, *later))),
        radius=blast_radius(paths, pairs),
        limits=tuple(change_limits(base, head, paths)),
        problems=in_order(problems_of(base, head, paths, facts) if problems is None else problems),
        not_checked=tuple(each.value for each in not_checked(base, head, paths, facts)),
    )


def _walked(head: Tree, rendered: Rendering, touched: Sequence[Touched]) -> tuple[Tree, tuple[Pair, ...]]:
    """Return the tree when the walks are over that the change sets off, and the manifests that differ from now on."""
    walking = [each for each in touched if each.after.walk.steps]
    clusters = ((each, head.project(each.tenant, each.project)) for each in walking)
    units = [each.unit(project.spec.cluster) for each, project in clusters if project is not None]
    arrived = walked(head, walking)
    return arrived, pairs_of(rendered, render(arrived, units))


def _is_on(base: Tree, head: Tree, touched: Touched, cluster: str | None) -> bool:
    where = touched.tenant, touched.project
    project = head.project(*where) or base.project(*where)
    return cluster is None or (project is not None and project.spec.cluster == cluster)


def _cost(base: Tree, head: Tree, touched: Sequence[Touched], cluster: str | None) -> Cost | None:
    """Return the cost of what the change touches; where prices change, of everything."""
    before, after = _prices(base), _prices(head)
    if before != after:
        everything = {*base.of_kind(Kind.MODEL_DEPLOYMENT), *head.of_kind(Kind.MODEL_DEPLOYMENT)}
        found = touched_deployments(base, head, everything)
        touched = [each for each in found if _is_on(base, head, each, cluster)]
    return cost(touched, before, after)


def _prices(tree: Tree) -> Prices | None:
    platform = of_spec(tree.get(PLATFORM_PATH), PlatformSpec)
    return platform.spec.prices if platform else None
