"""CPUs, memory and GPUs of one pod → what its manifest says, and what brings it onto the nodes of its GPUs."""

from __future__ import annotations

from collections.abc import Iterable

from intents.kinds import ClusterSpec
from intents.kinds.cluster import GpuPool, Toleration
from intents.kinds.resources import Resources
from intents.problems import InvalidIntent, Problem
from renderers.canonical import Manifest


def pool_of(resources: Resources, cluster: ClusterSpec, path: str) -> GpuPool | None:
    """Return the pool whose GPUs the intent at `path` asks for; None without GPUs.

    Raises InvalidIntent where the cluster has no such pool.
    """
    for gpu in resources.gpus:
        pool = cluster.gpu_pool(gpu)
        if pool is None:
            message = f"its cluster has no pool of {gpu}"
            raise InvalidIntent([Problem("invalid-value", path, 0, 0, message)])
        return pool
    return None


def by_resource(pools: Iterable[GpuPool]) -> dict[str, list[GpuPool]]:
    """Return pools by the resource under which Kubernetes counts their GPUs: types may share one."""
    found: dict[str, list[GpuPool]] = {}
    for pool in pools:
        found.setdefault(pool.resource, []).append(pool)
    return found


def amounts(resources: Resources, pool: GpuPool | None) -> dict[str, str]:
    """Return the quantities of a container, requested and limited alike."""
    gpus = {pool.resource: str(resources.gpus[pool.type])} if pool else {}
    return {"cpu": resources.cpus, "memory": resources.memory, **gpus}


def placement(pool: GpuPool | None) -> Manifest:
    """Return the fields of a pod spec that bring it onto the nodes of a pool."""
    if pool is None:
        return {}
    selector = {"nodeSelector": dict(pool.node_selector)} if pool.node_selector else {}
    return {**selector, **({"tolerations": tolerations(pool)} if pool.tolerations else {})}


def tolerations(pool: GpuPool) -> list[Manifest]:
    """Return the taints that pods on a pool's nodes bear."""
    return [_toleration(each) for each in pool.tolerations]


def _toleration(toleration: Toleration) -> Manifest:
    given = {"value": toleration.value, "effect": toleration.effect and toleration.effect.value}
    said = {name: value for name, value in given.items() if value is not None}
    return {"key": toleration.key, "operator": toleration.operator.value, **said}
