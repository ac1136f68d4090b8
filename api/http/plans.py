"""Plans as a caller may see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from api.http.caller import Caller
from api.http.context import ApiContext
from intents.authority import is_platform_admin
from intents.checks import Facts
from intents.problems import Problem
from intents.tree import Tree
from reconciler.planning.plan import ChangePlan, plan_change
from reconciler.planning.plan.visibility import plan_for_tenant


def plan_change_of(
    context: ApiContext,
    caller: Caller,
    after: Tree,
    paths: Collection[str],
    facts: Facts,
    problems: Iterable[Problem] | None = None,
) -> ChangePlan:
    """Return what a change of the tree at head to `after` does. Blocks.

    A member sees nothing of other tenants; platform admins see also how much of the clusters is used. Members give
    paths of their own tenant alone.
    """
    trees, now = (caller.tree, after), context.now()
    others = context.open_changes.beside(context.head.commit or "")
    if is_platform_admin(caller.tree, caller.principal):
        return plan_change(*trees, paths, now=now, others=others, problems=problems, facts=facts)
    return plan_for_tenant(*trees, paths, caller.tenant, now=now, others=others, problems=problems, facts=facts)
