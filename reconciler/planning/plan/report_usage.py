"""The report's section on quotas, with the sums written out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reconciler.planning.plan.amounts import resource_order
from reconciler.planning.plan.capacity import DeploymentUse
from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.lines import Line, Mark, Section, section
from reconciler.planning.plan.peak import Term
from reconciler.planning.plan.quotas import QuotaUse
from reconciler.planning.plan.wording import amount, resource_name

_IN_A_LINE = 3
"""A project, its tenant and its cluster are read together; more are a line each."""


def quota_section(plan: ChangePlan) -> Iterator[Section]:
    """Yield what is used of which quota, and how that adds up."""
    exceeded = sorted({each.resource for each in plan.quotas if each.exceeded}, key=resource_order)
    summary = f"exceeded: {', '.join(map(resource_name, exceeded))}" if exceeded else "within"
    yield from section("Quota", summary if plan.quotas else "nothing against it", _lines(plan))


def _lines(plan: ChangePlan) -> Iterator[Line]:
    ordered = sorted(plan.quotas, key=lambda each: resource_order(each.resource))
    for resource, found in groupby(ordered, key=lambda each: each.resource):
        quotas = list(found)
        if len(quotas) <= _IN_A_LINE:
            yield _line(resource, quotas)
        else:
            yield from (_line(resource, [each]) for each in quotas)
    for use in plan.deployments:
        yield from _sums(use)


def _line(resource: str, quotas: Iterable[QuotaUse]) -> Line:
    known = list(quotas)
    mark = Mark.ALERT if any(each.exceeded or each.exceeded_with_others for each in known) else Mark.CHANGED
    return Line(mark, f"{resource_name(resource)}: {', '.join(map(_quota, known))}")


def _quota(use: QuotaUse) -> str:
    """Write `2 → 5 of 4 (project acme/fraud), exceeded`."""
    moved = f"{amount(use.resource, use.before)} → {amount(use.resource, use.after)}"
    held = _limit(use)
    others = f", with other changes {amount(use.resource, use.with_others)}" if use.with_others != use.after else ""
    over = ", exceeded" if use.exceeded else ", exceeded with other changes" if use.exceeded_with_others else ""
    return f"{moved}{held} ({use.level} {use.name}{others}{over})"


def _limit(use: QuotaUse) -> str:
    if use.limit_after is None and use.limit_before is None:
        return ", no limit"
    new = "no limit" if use.limit_after is None else amount(use.resource, use.limit_after)
    if use.limit_before == use.limit_after:
        return f" of {new}"
    old = "no limit" if use.limit_before is None else amount(use.resource, use.limit_before)
    return f" of {new} (was {old})"


def _sums(use: DeploymentUse) -> Iterator[Line]:
    name = f"{use.tenant}/{use.project}/{use.deployment}"
    yield Line(Mark.PLAIN, f"{name}: {use.replicas_before} → {use.replicas_after} replicas at its peak")
    for each in use.resources:
        before, after = _sum(each.resource, each.before_terms), _sum(each.resource, each.after_terms)
        yield Line(Mark.PLAIN, f"{resource_name(each.resource)}: {before} → {after}", 1)


def _sum(resource: str, terms: Iterable[Term]) -> str:
    """Write `v1 3 × 1 + v2 2 × 1 = 5`."""
    known = list(terms)
    if not known:
        return "0"
    products = " + ".join(f"{each.version} {each.replicas} × {amount(resource, each.each)}" for each in known)
    return f"{products} = {amount(resource, sum((each.product for each in known), known[0].product * 0))}"
