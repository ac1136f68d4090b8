"""Single resources of quotas and clusters: how much of one there is, where that is written, how it is said."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from intents.kinds import ClusterSpec, ProjectSpec, Spec, TenantSpec
from intents.kinds.resources import Quota
from intents.quantities import binary_quantity, quantity_value
from intents.usage import Amounts

Place = tuple[str | int, ...]
MIB, GIB = 2**20, 2**30


class Resource(NamedTuple):
    """CPUs, memory, or one type of GPU."""

    field: str
    """`cpus`, `memory` or `gpus`."""
    gpu: str = ""


CPUS, MEMORY = Resource("cpus"), Resource("memory")


def resources_of(amounts: Amounts) -> list[Resource]:
    """Return every resource that there is some of."""
    plain = [each for each in (CPUS, MEMORY) if amount(amounts, each)]
    return plain + [Resource("gpus", gpu) for gpu, count in sorted(amounts.gpus.items()) if count]


def amount(amounts: Amounts, resource: Resource) -> Decimal:
    """Return how much of one resource there is."""
    if resource.field == "gpus":
        return Decimal(amounts.gpus.get(resource.gpu, 0))
    return amounts.cpus if resource.field == "cpus" else amounts.memory


def limit(spec: Spec | None, resource: Resource) -> Decimal | None:
    """Return how much of a resource a quota or a cluster gives; None where it sets no limit."""
    if isinstance(spec, TenantSpec | ProjectSpec):
        return _of_quota(spec.quota, resource)
    return _of_cluster(spec, resource) if isinstance(spec, ClusterSpec) else None


def limits(spec: TenantSpec | ProjectSpec) -> dict[Resource, Decimal]:
    """Return every limit that a quota sets."""
    named = [CPUS, MEMORY, *(Resource("gpus", gpu) for gpu in spec.quota.gpus)]
    return {each: found for each in named if (found := limit(spec, each)) is not None}


def place(spec: Spec, resource: Resource) -> Place:
    """Return where a document says how much of a resource there is."""
    if isinstance(spec, ClusterSpec):
        if resource.field != "gpus":
            return ("spec", "capacity", resource.field)
        at = next((at for at, pool in enumerate(spec.gpu_pools) if pool.type == resource.gpu), None)
        return ("spec", "gpuPools") if at is None else ("spec", "gpuPools", at, "count")
    return ("spec", "quota", resource.field, *([resource.gpu] if resource.gpu else []))


def said(value: Decimal, resource: Resource) -> str:
    """Write an amount as people do: `2.5`, `96Gi`, `4`."""
    if resource.field == "memory":
        unit = GIB if value % GIB == 0 else MIB if value >= MIB else 1
        return binary_quantity(round(value / unit) * unit)
    return f"{value.normalize():f}"


def unit(resource: Resource) -> str:
    """Return what an amount of a resource is an amount of."""
    return "of memory" if resource == MEMORY else noun(resource)


def noun(resource: Resource) -> str:
    """Return what there can be more of."""
    return {"cpus": "CPUs", "memory": "memory", "gpus": f"GPUs of type {resource.gpu}"}[resource.field]


_value = lru_cache(maxsize=4096)(quantity_value)


def _of_quota(quota: Quota, resource: Resource) -> Decimal | None:
    """A type of GPU that is not named may not be used; CPUs and memory without a number have no limit."""
    if resource.field == "gpus":
        return Decimal(quota.gpus.get(resource.gpu, 0))
    text = quota.cpus if resource.field == "cpus" else quota.memory
    return None if text is None else _value(text)


def _of_cluster(spec: ClusterSpec, resource: Resource) -> Decimal | None:
    """A type of GPU that no pool has is told where it is asked for, not counted."""
    if resource.field == "gpus":
        counts = [pool.count for pool in spec.gpu_pools if pool.type == resource.gpu]
        return Decimal(sum(counts)) if counts else None
    if spec.capacity is None:
        return None
    return _value(spec.capacity.cpus if resource.field == "cpus" else spec.capacity.memory)
