"""Project → its Namespace, and what all pods in it together may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from intents.identity import namespace
from intents.kinds.cluster import GpuPool
from intents.kinds.platform import Enforcement, PlatformSpec, PolicyRule
from intents.kinds.resources import GpuCounts, Quota
from intents.quantities import canonical_quantity, quantity_value
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.policies.rules import gpu_labels
from renderers.pools import by_resource
from renderers.site import in_project, project_of, site_of, tenant_of
from renderers.unit import Unit

POD_SECURITY_VERSION = "v1.36"
"""The meaning of a Pod Security level is pinned, so that an upgrade of the cluster refuses no running workload."""

OBJECT_COUNTS: Mapping[str, int] = {
    "pods": 500,
    "persistentvolumeclaims": 50,
    "configmaps": 500,
    "secrets": 200,
    "services": 400,
    # What is reached from outside is reached through the edge.
    "services.loadbalancers": 0,
    "services.nodeports": 0,
    "count/jobs.batch": 500,
    # 20,000 Workflows cost an API server 5 GB, so these cost it half a gigabyte at most.
    "count/workflows.argoproj.io": 2000,
}
"""How many objects a project may have: no project fills the API server for the others."""

DEFAULT_LIMITS = {"cpu": "500m", "memory": "512Mi"}
DEFAULT_REQUESTS = {"cpu": "100m", "memory": "128Mi"}
"""Of containers that say nothing: helpers beside a run's own. What intents name always says both."""

# A stricter level contains the rules of the one before: https://kubernetes.io/docs/concepts/security/pod-security-standards
_BASELINE = (PolicyRule.NO_PRIVILEGED, PolicyRule.NO_HOST_PATH, PolicyRule.NO_HOST_NETWORK)


def render_namespace(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the Namespace, the ResourceQuota and the LimitRange of a project."""
    quota, above = project_of(tree, unit).quota, tenant_of(tree, unit).quota
    pools = site_of(tree, unit).spec.gpu_pools
    yield _namespace(unit, _pod_security(tree.platform), gpu_labels(tenant_of(tree, unit)))
    yield in_project(unit, "v1", "ResourceQuota", "ordain", spec={"hard": _hard(quota, above, pools)})
    yield in_project(unit, "v1", "LimitRange", "ordain", spec={"limits": [_container_defaults(quota, above)]})


def _namespace(unit: Unit, level: str, gpus: Mapping[str, str]) -> Manifest:
    name = namespace(unit.tenant, unit.project)
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                # The API server sets it on every Namespace.
                "kubernetes.io/metadata.name": name,
                marks.TENANT: unit.tenant,
                marks.PROJECT: unit.project,
                marks.ROUTES: "tenants",
                **pod_security_labels(level),
                **gpus,
            },
        },
    }


def pod_security_labels(level: str) -> dict[str, str]:
    """Return the labels by which Pod Security admission enforces `level`, and tells what `restricted` would refuse."""
    prefix = "pod-security.kubernetes.io"
    levels = {"enforce": level, "audit": "restricted", "warn": "restricted"}
    versions = {f"{prefix}/{mode}-version": POD_SECURITY_VERSION for mode in levels}
    return {**{f"{prefix}/{mode}": each for mode, each in levels.items()}, **versions}


def _pod_security(platform: PlatformSpec) -> str:
    """Return the strictest level that refuses nothing the platform's own rules only audit."""
    if any(platform.enforcement(rule) is Enforcement.AUDIT for rule in _BASELINE):
        return "privileged"
    audited = platform.enforcement(PolicyRule.RUN_AS_NON_ROOT) is Enforcement.AUDIT
    return "baseline" if audited else "restricted"


def _hard(quota: Quota, above: Quota, pools: tuple[GpuPool, ...]) -> dict[str, str]:
    """Return the limits of a project. What it leaves open, its tenant's quota bounds.

    Requests alone are counted, as Kueue does. What intents name is requested and limited alike; the limits of helpers
    that KServe and Argo put beside it (1 CPU and 1Gi to fetch a model) would count for the pod's whole life, and a
    quota that checks call kept would be full.
    """
    hard = {name: _count(number) for name, number in OBJECT_COUNTS.items()}
    for name, amount in (("cpu", quota.cpus or above.cpus), ("memory", quota.memory or above.memory)):
        if amount:
            hard[f"requests.{name}"] = amount
    return hard | _gpus(quota.gpus, pools)


def _gpus(granted: GpuCounts, pools: tuple[GpuPool, ...]) -> dict[str, str]:
    """Return the limit of each extended resource: types that share one resource share one limit, 0 without any."""
    counts = {
        resource: sum(granted.get(pool.type, 0) for pool in each) for resource, each in by_resource(pools).items()
    }
    return {f"requests.{resource}": _count(number) for resource, number in counts.items()}


def _container_defaults(quota: Quota, above: Quota) -> Manifest:
    """Return what a container without resources gets, never more than the whole quota."""
    most = {"cpu": quota.cpus or above.cpus, "memory": quota.memory or above.memory}
    return {
        "type": "Container",
        "default": {name: _least(amount, most[name]) for name, amount in DEFAULT_LIMITS.items()},
        "defaultRequest": {name: _least(amount, most[name]) for name, amount in DEFAULT_REQUESTS.items()},
    }


@lru_cache(maxsize=1024)
def _least(amount: str, most: str | None) -> str:
    return most if most is not None and quantity_value(most) < quantity_value(amount) else amount


@lru_cache(maxsize=1024)
def _count(number: int) -> str:
    return canonical_quantity(str(number))
