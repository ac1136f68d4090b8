"""How the pods of a version are replaced when its template changes: from what the project has left of its quota.

The decision is the strategy of the Deployment that KServe makes, which is no part of its pods' template: no pod
restarts because it changes, only the next replacement goes another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from intents.checks.amounts import GIB, MEMORY, Resource, amount, limit, resources_of
from intents.kinds import Spec
from intents.kinds.model_deployment import Version
from intents.tree import Tree
from intents.usage import Amounts, peaks, total
from renderers.live import LiveDeployment


class Strategy(Enum):
    """The ways to replace pods: `maxSurge` and `maxUnavailable` of a rolling update, or neither."""

    SURGE = (1, 0)
    """A new pod answers before an old one goes."""
    OWN_HEADROOM = (1, "50%")
    """The same while the version runs fewer pods than its maximum, which are counted as used; else one goes first.

    Half, rounded down, of one pod is none, so the last pod never goes first.
    """
    IN_PLACE = (0, 1)
    """One old pod goes before its successor comes, the others answer."""
    RECREATE = None
    """The only pod goes before its successor comes: nothing answers for as long as that takes to start."""

    def manifest(self) -> dict[str, Any]:
        """Return it as the strategy of a Deployment."""
        if self.value is None:
            return {"type": "Recreate"}
        surge, unavailable = self.value
        return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


@dataclass(frozen=True)
class Room:
    """One resource: what one pod more needs, and what the tightest limit on the project leaves."""

    resource: Resource
    needed: Decimal
    used: Decimal
    """By all deployments of the project, each at its peak."""
    limit: Decimal
    level: str
    """Whose limit it is: project, tenant or cluster."""

    @property
    def left(self) -> Decimal:
        """What nobody uses."""
        return self.limit - self.used

    @property
    def fits(self) -> bool:
        """Whether it is enough."""
        return self.needed <= self.left

    def __str__(self) -> str:
        amounts = (_said(self.resource, each) for each in (self.needed, self.limit, self.used, self.left))
        needed, limit, used, left = amounts
        name = self.resource.gpu or self.resource.field
        return f"{name}: {needed} needed, {left} left ({self.level} {limit} - {used} used)"


@dataclass(frozen=True)
class Decision:
    """How one version's pods are replaced, with the arithmetic."""

    version: str
    strategy: Strategy
    rooms: tuple[Room, ...]
    """One for each resource that something limits."""

    @property
    def explanation(self) -> str:
        """The arithmetic in a line, for a person."""
        arithmetic = "; ".join(map(str, self.rooms)) or "nothing limits the project"
        return f"{_IN_WORDS[self.strategy]}, for one pod more: {arithmetic}"


_IN_WORDS = {
    Strategy.SURGE: "maxSurge 1, maxUnavailable 0",
    Strategy.OWN_HEADROOM: "maxSurge 1 within its own maximum, else maxUnavailable 50%",
    Strategy.IN_PLACE: "maxSurge 0, maxUnavailable 1",
    Strategy.RECREATE: "Recreate",
}


def decisions(tree: Tree, live: LiveDeployment) -> dict[str, Decision]:
    """Return the decision for each live version, by name.

    What is left is the tightest of the limits on project, tenant and cluster, less what the project's own deployments
    use: quotas are nested, so what others use of the outer ones is theirs already, and no other project's deployment
    changes a manifest here.
    """
    budget = _budget(tree, live.tenant, live.project)
    return {each.name: decide(each, tuple(budget.rooms(each))) for each in live.versions}


def decide(version: Version, rooms: tuple[Room, ...]) -> Decision:
    """Return how a version's pods are replaced, given the room for one more."""
    if all(room.fits for room in rooms):
        strategy = Strategy.SURGE
    elif version.replicas.min > 1:
        strategy = Strategy.IN_PLACE
    elif version.replicas.max > 1:
        strategy = Strategy.OWN_HEADROOM
    else:
        strategy = Strategy.RECREATE
    return Decision(version.name, strategy, rooms)


@dataclass(frozen=True)
class _Budget:
    """What the deployments of a project use, and whose quotas and capacity limit them, from the inside."""

    used: Amounts
    levels: tuple[tuple[str, Spec], ...]

    def rooms(self, version: Version) -> Iterator[Room]:
        """Yield the room for one pod more of a version, under the tightest limit on each resource."""
        needed = Amounts.of(version.resources)
        for resource in resources_of(needed):
            limits = [(found, name) for name, spec in self.levels if (found := limit(spec, resource)) is not None]
            if limits:
                tightest, level = min(limits, key=lambda each: each[0])
                yield Room(resource, amount(needed, resource), amount(self.used, resource), tightest, level)


# Decisions are made project by project; another tree is another key.
@lru_cache(maxsize=8)
def _budget(tree: Tree, tenant: str, project: str) -> _Budget:
    inner, outer = tree.project(tenant, project), tree.tenant(tenant)
    cluster = tree.cluster(inner.spec.cluster) if inner else None
    levels = (("project", inner), ("tenant", outer), ("cluster", cluster))
    specs = tuple((name, document.spec) for name, document in levels if document)
    return _Budget(total(peaks(tree, tenant, project).values()), specs)


def _said(resource: Resource, value: Decimal) -> str:
    """Write an amount, one below zero included: others may use more than the limit."""
    return f"{float(value) / GIB:g}Gi" if resource == MEMORY else f"{float(value):g}"
