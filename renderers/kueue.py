"""Cluster, tenants and projects → Kueue's queues, in which runs, training and serving share one quota.

A tenant's ClusterQueue has its whole quota. Whatever bears the label QUEUE_LABEL waits until it fits: pods of runs,
TrainJobs, and the Deployments that KServe makes of InferenceServices and InferenceGraphs (see docs/decisions for the
arithmetic).
"""

from __future__ import annotations

from collections.abc import Iterator

from intents.kinds import ClusterSpec
from intents.kinds.cluster import GpuPool
from intents.kinds.resources import Quota
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.pools import by_resource, tolerations
from renderers.site import in_project, site_of, tenant_of
from renderers.unit import Unit

API_VERSION = "kueue.x-k8s.io/v1beta2"
QUEUE = "ordain"
"""The LocalQueue of every project. Not `default`: Kueue would put every pod of the namespace into that one."""
QUEUE_LABEL = {marks.QUEUE: QUEUE}
"""What a workload bears to be counted. It must never change: Kueue refuses that while pods are running."""
SERVING_LABELS = {**QUEUE_LABEL, marks.PRIORITY: "ordain-serving"}
"""What is served bears: the same, and its place before everything else that waits."""

_CPU_FLAVOR = "ordain-cpu"
# Kueue refuses workloads that ask for what a queue does not cover, so no limit is a large one; it adds up those of
# all tenants in 64 bits.
_NO_LIMIT = {"cpu": "1M", "memory": "1Pi"}


def render_flavors(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield a ResourceFlavor for each GPU pool of a cluster, and one for all CPUs and memory."""
    site = site_of(tree, unit)
    if site.kubernetes is None:
        return
    yield _flavor(_CPU_FLAVOR, {})
    for pool in site.spec.gpu_pools:
        bears = {"tolerations": tolerations(pool)} if pool.tolerations else {}
        selects = {"nodeLabels": dict(pool.node_selector)} if pool.node_selector else {}
        yield _flavor(_gpu_flavor(pool), {**selects, **bears})


def render_serving_priority(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the WorkloadPriorityClass of what is served: runs and training have 0.

    It orders those that wait and evicts nobody. Without it the successor of a pod that was replaced or drained would
    stand behind every task that was there before.
    """
    if site_of(tree, unit).kubernetes is not None:
        yield {
            "apiVersion": API_VERSION,
            "kind": "WorkloadPriorityClass",
            "metadata": {"name": SERVING_LABELS[marks.PRIORITY]},
            "value": 1000,
        }


def render_cluster_queue(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the ClusterQueue of a tenant: its quota, without borrowing.

    What a plan says about quota would not hold if a tenant could borrow, and whoever lent would evict a model server
    to take it back.
    """
    site, quota = site_of(tree, unit), tenant_of(tree, unit).quota
    if site.kubernetes is None:
        return
    yield {
        "apiVersion": API_VERSION,
        "kind": "ClusterQueue",
        "metadata": {"name": _cluster_queue(unit.tenant), "labels": {marks.TENANT: unit.tenant}},
        "spec": {
            "cohortName": f"ordain-{unit.cluster}",
            "flavorFungibility": {"whenCanBorrow": "MayStopSearch", "whenCanPreempt": "TryNextFlavor"},
            "namespaceSelector": {"matchLabels": {marks.TENANT: unit.tenant}},
            "preemption": {
                "borrowWithinCohort": {"policy": "Never"},
                "reclaimWithinCohort": "Never",
                # A task that is evicted is a run that failed.
                "withinClusterQueue": "Never",
            },
            "queueingStrategy": "BestEffortFIFO",
            "resourceGroups": [_cpus_and_memory(quota, site.spec), *_gpus(quota, site.spec)],
            "stopPolicy": "None",
        },
    }


def render_local_queue(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the LocalQueue of a project, through which it uses its tenant's quota."""
    if site_of(tree, unit).kubernetes is not None:
        spec = {"clusterQueue": _cluster_queue(unit.tenant), "stopPolicy": "None"}
        yield in_project(unit, API_VERSION, "LocalQueue", QUEUE, spec=spec)


def _cluster_queue(tenant: str) -> str:
    return f"ordain-{tenant}"


def _gpu_flavor(pool: GpuPool) -> str:
    return f"ordain-gpu-{pool.type}"


def _flavor(name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": "ResourceFlavor", "metadata": {"name": name}, "spec": spec}


def _cpus_and_memory(quota: Quota, cluster: ClusterSpec) -> Manifest:
    """One group of its own: a pod uses the same quota of CPUs whether it has a GPU or not."""
    there = cluster.capacity
    cpu = quota.cpus or (there.cpus if there else _NO_LIMIT["cpu"])
    memory = quota.memory or (there.memory if there else _NO_LIMIT["memory"])
    resources = [_quota("cpu", cpu), _quota("memory", memory)]
    return {
        "coveredResources": ["cpu", "memory"],
        "flavors": [{"name": _CPU_FLAVOR, "resources": resources}],
    }


def _gpus(quota: Quota, cluster: ClusterSpec) -> Iterator[Manifest]:
    """Yield a group for each resource that pools offer; the node selector of a pod decides about the flavor."""
    for resource, pools in by_resource(cluster.gpu_pools).items():
        flavors = [
            {"name": _gpu_flavor(pool), "resources": [_quota(resource, str(quota.gpus.get(pool.type, 0)))]}
            for pool in pools
        ]
        yield {"coveredResources": [resource], "flavors": flavors}


def _quota(resource: str, amount: str) -> Manifest:
    return {"name": resource, "nominalQuota": amount, "borrowingLimit": "0"}
