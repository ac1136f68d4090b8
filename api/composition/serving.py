"""What makes rendered deployments real: this machine, or a cluster on Kubernetes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from api.composition.engines import environments
from api.composition.process import Process, now
from reconciler.drivers.kubernetes.access import ApiServer
from reconciler.drivers.kubernetes.cluster import KubernetesCluster
from reconciler.drivers.local.edge import EdgePerson, EnvoyEdge
from reconciler.drivers.local.triton import LocalModelServers
from reconciler.ports.objects import Objects
from reconciler.ports.status_ledger import StatusLedger
from reconciler.services.settings import Settings
from reconciler.services.target import Target
from reconciler.workers.cluster_worker import ClusterWorker
from reconciler.workers.deployment_worker import DeploymentWorker
from reconciler.workers.loop import Turn
from reconciler.workers.tenant_hosts import TenantHosts

DEMO_PERSON = EdgePerson(user="local@localhost", email="local@localhost", groups=())
"""Whom the demo edge names: it authenticates nobody, and says so at start."""
SERVING_SWEEP_SECONDS = 0.5
Hints = Callable[[], AsyncIterator[str]]


@dataclass(frozen=True)
class Serving:
    """The loops that serve deployments, by name and sweep, and what runs beside them."""

    loops: Sequence[tuple[str, Turn, float]]
    beside: Sequence[Coroutine[Any, Any, None]] = ()
    hints: Sequence[Hints] = ()
    """That something was observed: they wake the loop `deployments`."""


def serving(
    process: Process, status: StatusLedger, storage: Objects, server: ApiServer | None, target: Target
) -> Serving:
    """Return what serves the deployments of the target; `server` is its API server, None where it is this machine."""
    edge, cluster = _edge(process.settings), process.head.tree.cluster(target.cluster)
    there = cluster.spec.kubernetes if cluster else None
    if server is None or there is None:
        return _on_this_machine(process, status, storage, edge, target)
    seen = KubernetesCluster(server, target.cluster, there.argocd.namespace)
    worker = ClusterWorker(process.repository, process.head.advance, seen, status, target.cluster, now)
    hosts = TenantHosts(process.head.advance, edge)
    return Serving(
        loops=(("deployments", worker.turn, SERVING_SWEEP_SECONDS), ("hosts", hosts.turn, SERVING_SWEEP_SECONDS)),
        beside=(seen.run(),),
        hints=(seen.hints,),
    )


def _on_this_machine(
    process: Process, status: StatusLedger, storage: Objects, edge: EnvoyEdge, target: Target
) -> Serving:
    triton_python = environments() / ".venv-triton" / "bin" / "python"
    servers = LocalModelServers(process.settings.layout.processes, triton_python, storage)
    worker = DeploymentWorker(process.repository, process.head.advance, servers, edge, status, target.cluster)
    return Serving(loops=(("deployments", worker.turn, SERVING_SWEEP_SECONDS),))


def _edge(settings: Settings) -> EnvoyEdge:
    layout = settings.layout
    return EnvoyEdge(layout.envoy_rds, layout.envoy_cds, settings.envoy_admin_socket, settings.api_socket, DEMO_PERSON)
