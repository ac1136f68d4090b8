"""What intents use of CPUs, memory and GPUs: the arithmetic that quotas, surge and costs share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Self

from intents.documents import of_spec
from intents.kinds import Kind, ModelDeploymentSpec, RolloutSpec
from intents.kinds.model_deployment import Version
from intents.kinds.resources import Resources
from intents.quantities import quantity_value
from intents.tree import Tree


@dataclass(frozen=True)
class Amounts:
    """CPUs, bytes of memory, and GPUs by type."""

    cpus: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    gpus: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Resources, copies: int = 1) -> Self:
        """Return what `copies` pods with these resources use."""
        cpus, memory = _value(resources.cpus), _value(resources.memory)
        return cls(cpus * copies, memory * copies, {name: count * copies for name, count in resources.gpus.items()})

    def __add__(self, other: Amounts) -> Amounts:
        names = self.gpus.keys() | other.gpus.keys()
        gpus = {name: self.gpus.get(name, 0) + other.gpus.get(name, 0) for name in sorted(names)}
        return Amounts(self.cpus + other.cpus, self.memory + other.memory, gpus)

    def __sub__(self, other: Amounts) -> Amounts:
        names = self.gpus.keys() | other.gpus.keys()
        gpus = {name: self.gpus.get(name, 0) - other.gpus.get(name, 0) for name in sorted(names)}
        return Amounts(self.cpus - other.cpus, self.memory - other.memory, gpus)


NOTHING = Amounts()
ROUTER = Resources(cpus="100m", memory="100Mi")
"""What one router of an InferenceGraph uses: what KServe's configuration has it request, here its limits as well."""
_value = lru_cache(maxsize=4096)(quantity_value)


def total(amounts: Iterable[Amounts]) -> Amounts:
    """Return the sum."""
    return sum(amounts, NOTHING)


def at_most(version: Version) -> Amounts:
    """Return what all replicas of a version may use."""
    return Amounts.of(version.resources, version.replicas.max)


def routers(target: ModelDeploymentSpec | None, rollout: RolloutSpec | None) -> int:
    """Return how many routers there may be: as many as the version with the most replicas has, and a quarter more.

    KServe replaces them (each change of a weight does) with Kubernetes' own maxSurge of 25 %, rounded up.
    """
    if target is None or not target.traffic.divided_by_graph:
        return 0
    most = max(version.replicas.max for version in (*(rollout.live if rollout else ()), *target.versions))
    return most + ceil(most / 4)


def peak(target: ModelDeploymentSpec | None, rollout: RolloutSpec | None) -> Amounts:
    """Return what a deployment may use while it moves: all that is live beside all that is asked, and its routers.

    A version that is both counts once, as the larger of the two.
    """
    by_name: dict[str, Amounts] = {}
    for version in (*(rollout.live if rollout else ()), *(target.versions if target else ())):
        by_name[version.name] = _larger(by_name.get(version.name, NOTHING), at_most(version))
    return total((*by_name.values(), Amounts.of(ROUTER, routers(target, rollout))))


def peaks(tree: Tree, tenant: str, project: str) -> dict[str, Amounts]:
    """Return the peak of every deployment of a project, by name."""
    targets = tree.in_project(Kind.MODEL_DEPLOYMENT, tenant, project).values()
    rollouts = {each.identity.name: each for each in tree.in_project(Kind.ROLLOUT, tenant, project).values()}
    found: dict[str, Amounts] = {}
    for each in sorted(targets, key=lambda document: document.path):
        target = of_spec(each, ModelDeploymentSpec)
        rollout = of_spec(rollouts.get(each.identity.name), RolloutSpec)
        found[each.identity.name] = peak(target.spec if target else None, rollout.spec if rollout else None)
    return found


def _larger(one: Amounts, other: Amounts) -> Amounts:
    names = one.gpus.keys() | other.gpus.keys()
    gpus = {name: max(one.gpus.get(name, 0), other.gpus.get(name, 0)) for name in sorted(names)}
    return Amounts(max(one.cpus, other.cpus), max(one.memory, other.memory), gpus)
