"""What intents use of CPUs, memory and GPUs: the arithmetic that quotas, surge and costs share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import NamedTuple, Self

from intents.documents import of_spec
from intents.kinds import Kind, ModelDeploymentSpec, RolloutSpec
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


class Pods(NamedTuple):
    """Pods of one sort that a deployment may have at once."""

    name: str
    """Of their version, or ROUTERS."""
    copies: int
    each: Resources


ROUTERS = "A/B router"
"""No version's name."""


def pods_of(target: ModelDeploymentSpec | None, rollout: RolloutSpec | None) -> Iterator[Pods]:
    """Yield what a deployment may have while it moves: all that is live, all that is asked, and its routers.

    A version that is both comes twice; it counts once, as the larger of the two.
    """
    versions = (*(rollout.live if rollout else ()), *(target.versions if target else ()))
    for version in versions:
        yield Pods(version.name, version.replicas.max, version.resources)
    if target is not None and target.traffic.divided_by_graph:
        most = max(version.replicas.max for version in versions)
        # KServe replaces routers (each change of a weight does) with Kubernetes' own maxSurge of 25 %, rounded up.
        yield Pods(ROUTERS, most + ceil(most / 4), ROUTER)


def peak(target: ModelDeploymentSpec | None, rollout: RolloutSpec | None) -> Amounts:
    """Return what a deployment may use while it moves."""
    by_name: dict[str, Amounts] = {}
    for name, copies, each in pods_of(target, rollout):
        by_name[name] = _larger(by_name.get(name, NOTHING), Amounts.of(each, copies))
    return total(by_name.values())


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
