"""What renderers need to know of a cluster, and the names that the platform's own objects have on every one."""

from __future__ import annotations

from dataclasses import dataclass

from intents.identity import Identity, namespace, path_of
from intents.kinds import ClusterSpec, Kind, ProjectSpec, TenantSpec
from intents.kinds.cluster import Credentials, Gateway, Kubernetes, PlatformEgress
from intents.problems import InvalidIntent, Problem
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.unit import Unit

EDGE_NAMESPACE = "ordain-system"
"""Holds the Gateway, and the routes and policies of tenants' hosts."""
CONTROL_NAMESPACE = "ordain"
"""Holds the control plane, whose credentials no object of the edge needs."""
GATEWAY = "ordain"
GATEWAY_API = "gateway.networking.k8s.io"
ENVOY_GATEWAY = "gateway.envoyproxy.io"
TENANT_HEADER, PROJECT_HEADER = "X-Tenant-Id", "X-Project-Id"
"""What the edge tells the API and model servers; it believes nobody else."""
SERVER_KEY_HEADER = "X-Ordain-Secret"
"""Opens the restricted endpoints of model servers."""
API_SERVICE = "ordain-api"
API_PORT = 80
KFP_NAMESPACE = "kubeflow"


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster as manifests see it; where `driver: local` names nothing, the defaults of the kind."""

    spec: ClusterSpec
    kubernetes: Kubernetes | None
    gateway: Gateway
    credentials: Credentials
    egress: tuple[PlatformEgress, ...]
    kfp_namespace: str


def site_of(tree: Tree, unit: Unit) -> Site:
    """Return the cluster of a unit. Raises InvalidIntent where the tree has none of that name."""
    document = tree.cluster(unit.cluster)
    if document is None:
        raise _absent("unknown-cluster", Identity(Kind.CLUSTER, unit.cluster))
    spec = document.spec
    there = spec.kubernetes
    if there is None:
        return Site(spec, None, Gateway(), Credentials(), (), KFP_NAMESPACE)
    return Site(spec, there, there.gateway, there.credentials, there.egress, there.kfp.namespace)


def tenant_of(tree: Tree, unit: Unit) -> TenantSpec:
    """Return the tenant of a unit. Raises InvalidIntent: without it nothing can be fenced, and no fence may go."""
    document = tree.tenant(unit.tenant)
    if document is None:
        raise _absent("unknown-tenant", Identity(Kind.TENANT, unit.tenant, unit.tenant))
    return document.spec


def hosts_of(tree: Tree, unit: Unit) -> tuple[str, ...]:
    """Return the host names of a unit's tenant, in full. Raises InvalidIntent: a route without any takes every host."""
    return tuple(f"{label}.{tree.platform.base_domain}" for label in tenant_of(tree, unit).hostnames)


def project_of(tree: Tree, unit: Unit) -> ProjectSpec:
    """Return the project of a unit. Raises InvalidIntent."""
    document = tree.project(unit.tenant, unit.project)
    if document is None:
        raise _absent("unknown-project", Identity(Kind.PROJECT, unit.project, unit.tenant, unit.project))
    return document.spec


def _absent(code: str, who: Identity) -> InvalidIntent:
    return InvalidIntent([Problem(code, path_of(who), 0, 0, f"there is no {who.kind.lower()} {who.name}")])


def in_project(unit: Unit, api_version: str, kind: str, name: str, **body: object) -> Manifest:
    """Return an object in the namespace of a unit's project."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace(unit.tenant, unit.project),
            "labels": {marks.TENANT: unit.tenant, marks.PROJECT: unit.project},
        },
        **body,
    }


def at_edge(unit: Unit, api_version: str, kind: str, name: str, **body: object) -> Manifest:
    """Return an object beside the Gateway: a tenant's, or the cluster's own."""
    metadata: Manifest = {"name": name, "namespace": EDGE_NAMESPACE}
    if unit.tenant:
        metadata["labels"] = {marks.TENANT: unit.tenant}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
