"""What deployments may use at once, against the quotas of project and tenant and the capacity of the cluster.

A deployment counts with all replicas it may have, and with all versions that stand side by side while its
rollout moves. Only what a change makes worse is refused, so that a tree that is over a limit can be mended in
steps. It is told at the deployment that goes over the limit, or where the limit was lowered; where only rollouts
grew, it is a warning: steps and rollbacks of what was accepted are not held up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from intents.checks.amounts import Resource, amount, limit, noun, place, resources_of, said, unit
from intents.checks.rule import Change, differs
from intents.checks.traffic import projects_on
from intents.documents import Document
from intents.identity import Identity
from intents.kinds import Kind, ModelDeploymentSpec, RolloutSpec
from intents.problems import Problem, Severity
from intents.usage import NOTHING, Amounts, peak, pods_of

CODES = {"cpus": "quota-cpus", "memory": "quota-memory", "gpus": "quota-gpus"}
_LISTED = 4
Where = tuple[str, str]
"""Tenant and project."""


def project_stays_within_quota(change: Change) -> Iterator[Problem]:
    """All deployments of the project fit its quota."""
    who, world = change.document.identity, change.world
    key = (who.tenant, who.name)
    before, after = world.used_before.projects.get(key, NOTHING), world.used_after.projects.get(key, NOTHING)
    scope = Scope(f"project {who.name}", before, after, lambda: [key], lambda each: each.name)
    yield from _overruns(change, scope)


def tenant_stays_within_quota(change: Change) -> Iterator[Problem]:
    """All deployments of the tenant, in all its projects, fit its quota."""
    name, world = change.document.identity.name, change.world
    before, after = world.used_before.tenants.get(name, NOTHING), world.used_after.tenants.get(name, NOTHING)
    where = lambda: [(name, project) for project in change.head.projects(name)]  # noqa: E731 - only where needed
    yield from _overruns(change, Scope(f"tenant {name}", before, after, where, lambda each: each.project))


def cluster_holds_all_deployments(change: Change) -> Iterator[Problem]:
    """All deployments on the cluster fit its capacity and its pools of GPUs."""
    name, world = change.document.identity.name, change.world
    before, after = world.used_before.clusters.get(name, NOTHING), world.used_after.clusters.get(name, NOTHING)
    where = lambda: projects_on(change.head, name)  # noqa: E731 - only where needed
    scope = Scope(f"cluster {name}", before, after, where, lambda each: each.tenant, shared=True)
    yield from _overruns(change, scope)


@dataclass(frozen=True)
class Scope:
    """What a limit is for: its name, what is used of it before and after, and who uses it."""

    name: str
    before: Amounts
    after: Amounts
    where: Callable[[], list[Where]]
    """Its projects. Asked for only when something is over a limit."""
    part: Callable[[Identity], str]
    """What the sum is broken down by in a message."""
    shared: bool = False
    """Several tenants use it: how much of it is used is not for each of them to see."""


@dataclass(frozen=True)
class User:
    """One deployment's use of one resource."""

    target: Document[ModelDeploymentSpec]
    rollout: RolloutSpec | None
    before: Decimal
    after: Decimal
    asked: bool
    """The deployment itself was changed, not only its rollout."""

    @property
    def growth(self) -> Decimal:
        """How much more it uses."""
        return max(self.after - self.before, Decimal(0))


def _overruns(change: Change, scope: Scope) -> Iterator[Problem]:
    was = change.before.spec if change.before else None
    for resource in resources_of(scope.after):
        allowed = limit(change.document.spec, resource)
        if allowed is None or amount(scope.after, resource) <= allowed:
            continue
        allowed_before = limit(was, resource)
        lowered = was is not None and (allowed_before is None or allowed < allowed_before)
        if lowered or amount(scope.after, resource) > amount(scope.before, resource):
            yield _overrun(change, scope, resource, allowed, lowered=lowered)


def _overrun(change: Change, scope: Scope, resource: Resource, allowed: Decimal, *, lowered: bool) -> Problem:
    users = list(_users(change, scope, resource))
    blamed = None if lowered and _without_growth(users) > allowed else _who_goes_over(users, allowed)
    message, across = _arithmetic(scope, users, resource, allowed), ""
    if scope.shared:
        across = message
        message = f"deployments could use more {noun(resource)} than the {said(allowed, resource)} of {scope.name}"
    if blamed is None:
        where, hint = place(change.document.spec, resource), "lower what deployments may use first"
        return change.document.problem(CODES[resource.field], message, *where, hint=hint, across=across)
    severity = Severity.ERROR if blamed.asked else Severity.WARNING
    hint = f"fewer replicas or smaller ones, or a larger limit for the {scope.name}"
    message += f"; {blamed.target.identity.name} is {_pods(blamed, resource)}"
    where = ("spec", "versions")
    return blamed.target.problem(CODES[resource.field], message, *where, hint=hint, severity=severity, across=across)


def _users(change: Change, scope: Scope, resource: Resource) -> Iterator[User]:
    for tenant, project in scope.where():
        for name, target in change.head.deployments(tenant, project).items():
            old = change.base.deployment(tenant, project, name)
            rollout, old_rollout = (
                change.head.rollout(tenant, project, name),
                change.base.rollout(tenant, project, name),
            )
            before = peak(old.spec if old else None, old_rollout.spec if old_rollout and old else None)
            after = peak(target.spec, rollout.spec if rollout else None)
            yield User(
                target,
                rollout.spec if rollout else None,
                amount(before, resource),
                amount(after, resource),
                differs(old, target),
            )


def _without_growth(users: Iterable[User]) -> Decimal:
    return sum((min(each.before, each.after) for each in users), Decimal(0))


def _who_goes_over(users: Iterable[User], allowed: Decimal) -> User | None:
    """Return the deployment at which the sum passes the limit: rollouts' growth first, then what was asked, by path."""
    users = sorted(users, key=lambda each: (each.asked, each.target.path))
    growing, running = [each for each in users if each.growth], _without_growth(users)
    for user in growing:
        running += user.growth
        if running > allowed and (user.asked or user is growing[-1]):
            return user
    return None


def _arithmetic(scope: Scope, users: Iterable[User], resource: Resource, allowed: Decimal) -> str:
    parts: dict[str, Decimal] = {}
    for user in users:
        name = scope.part(user.target.identity)
        parts[name] = parts.get(name, Decimal(0)) + user.after
    ordered = sorted(((each, name) for name, each in parts.items() if each), key=lambda pair: (-pair[0], pair[1]))
    terms = [f"{name} {said(each, resource)}" for each, name in ordered[:_LISTED]]
    if others := ordered[_LISTED:]:
        terms.append(f"{len(others)} others {said(sum(each for each, _ in others), resource)}")  # type: ignore[arg-type]
    used = amount(scope.after, resource)
    return (
        f"deployments could use {said(used, resource)} {unit(resource)}, {said(used - allowed, resource)} more than "
        f"the {said(allowed, resource)} of {scope.name}: {' + '.join(terms)}"
    )


def _pods(user: User, resource: Resource) -> str:
    """Write what a deployment's use is made of: `v1 3 x 2 + v2 3 x 2`."""
    terms: dict[str, tuple[Decimal, str]] = {}
    for name, copies, resources in pods_of(user.target.spec, user.rollout):
        each = amount(Amounts.of(resources), resource)
        term = copies * each, f"{name} {copies} x {said(each, resource)}"
        terms[name] = max(terms.get(name, term), term, key=lambda known: known[0])
    return " + ".join(term for whole, term in terms.values() if whole)


def affected_by_quotas(change: Change) -> set[str]:
    """Return the limits that a deployment, a rollout or a project counts for."""
    document = change.after or change.before
    if document is None or document.identity.kind not in {Kind.MODEL_DEPLOYMENT, Kind.ROLLOUT, Kind.PROJECT}:
        return set()
    who = document.identity
    tenant, project = change.head.tenant(who.tenant), change.head.project(who.tenant, who.project)
    cluster = change.head.cluster(project.spec.cluster) if project else None
    return {each.path for each in (tenant, project, cluster) if each}
