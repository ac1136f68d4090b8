"""What deployments use at their peak, before and after. Runs and training jobs wait until there is room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from reconciler.planning.plan.amounts import Amount, resource_order
from reconciler.planning.plan.deployments import Touched
from reconciler.planning.plan.peak import Peak, Term


@dataclass(frozen=True)
class ResourceUse:
    """What a deployment uses of `cpus`, `memory` (in bytes) or `gpus/<type>` at its peak, as a sum of terms."""

    resource: str
    before: Amount
    after: Amount
    before_terms: tuple[Term, ...]
    after_terms: tuple[Term, ...]


@dataclass(frozen=True)
class DeploymentUse:
    """What one deployment uses at its peak. Resources of which it uses as much as before are left out."""

    tenant: str
    project: str
    deployment: str
    replicas_before: int
    replicas_after: int
    resources: tuple[ResourceUse, ...]


def deployment_uses(touched: Iterable[Touched]) -> Iterator[DeploymentUse]:
    """Yield what changes in the use of each deployment; nothing for one whose use stays the same."""
    for each in touched:
        before, after = each.before.peak, each.after.peak
        resources = tuple(_differing(before, after))
        if resources or before.replicas != after.replicas:
            who = each.tenant, each.project, each.name
            yield DeploymentUse(*who, before.replicas, after.replicas, resources)


def _differing(before: Peak, after: Peak) -> Iterator[ResourceUse]:
    for name in sorted({*before.use, *after.use}, key=resource_order):
        old, new = before.use.get(name, Decimal(0)), after.use.get(name, Decimal(0))
        if old != new:
            yield ResourceUse(name, old, new, before.terms(name), after.terms(name))
