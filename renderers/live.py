"""A deployment with all that its manifests follow from."""

from __future__ import annotations

from dataclasses import dataclass

from intents.documents import Document
from intents.identity import Identity, namespace, path_of
from intents.kinds import ClusterSpec, Kind, ModelDeploymentSpec, RolloutSpec
from intents.kinds.cluster import GpuPool, KServeMode
from intents.kinds.rollout import LiveVersion
from intents.problems import InvalidIntent, Problem
from intents.tree import Tree
from renderers import marks
from renderers.unit import Unit

# KServe's and Knative's own routes would go around the edge. Each mode reads a label of its own.
_BEHIND_THE_EDGE = {
    KServeMode.STANDARD: {"networking.kserve.io/visibility": "cluster-local"},
    KServeMode.KNATIVE: {"networking.knative.dev/visibility": "cluster-local"},
}


@dataclass(frozen=True)
class LiveDeployment:
    """A ModelDeployment, its Rollout, and where both are served."""

    target: Document[ModelDeploymentSpec]
    rollout: Document[RolloutSpec]
    cluster: ClusterSpec
    hostnames: tuple[str, ...]
    """The tenant's, in full."""
    tenant: str
    project: str
    name: str
    namespace: str
    versions: tuple[LiveVersion, ...]
    """What is live, from the first that was to the newest."""
    labels: dict[str, str]
    """What everything that serves the deployment carries."""
    service_labels: dict[str, str]
    """What KServe's kinds carry: the same, and what keeps them behind the edge."""

    @property
    def model(self) -> str:
        """The one model it serves; checks see to that."""
        return self.versions[0].model_name

    @property
    def most_replicas(self) -> int:
        """How many pods the version with the most of them may have."""
        return max(each.replicas.max for each in self.versions)

    def gpu_pool(self, version: LiveVersion) -> GpuPool | None:
        """Return the pool that a version runs on, None without GPUs. Raises InvalidIntent where there is none."""
        for gpu in version.resources.gpus:
            pool = self.cluster.gpu_pool(gpu)
            if pool is None:
                message = f"version {version.name} asks for {gpu}, which its cluster has no pool of"
                raise InvalidIntent([Problem("invalid-value", self.rollout.path, 0, 0, message)])
            return pool
        return None


def live_deployment(tree: Tree, unit: Unit) -> LiveDeployment | None:
    """Return a deployment as it is served; None before its Rollout. Raises InvalidIntent without its cluster."""
    tenant, project, name = unit.tenant, unit.project, unit.name
    target, rollout = tree.deployment(tenant, project, name), tree.rollout(tenant, project, name)
    if target is None or rollout is None:
        return None
    cluster = _cluster(tree, unit.cluster)
    labels = {marks.TENANT: tenant, marks.PROJECT: project, marks.DEPLOYMENT: name}
    return LiveDeployment(
        target,
        rollout,
        cluster,
        _hostnames(tree, tenant),
        tenant,
        project,
        name,
        namespace(tenant, project),
        rollout.spec.live,
        labels,
        {**labels, **_BEHIND_THE_EDGE[cluster.kserve.mode]},
    )


def _cluster(tree: Tree, name: str) -> ClusterSpec:
    cluster = tree.cluster(name)
    if cluster is None:
        path = path_of(Identity(Kind.CLUSTER, name))
        raise InvalidIntent([Problem("unknown-cluster", path, 0, 0, f"there is no cluster {name}")])
    return cluster.spec


def _hostnames(tree: Tree, tenant: str) -> tuple[str, ...]:
    document = tree.tenant(tenant)
    domain = tree.platform.base_domain
    return tuple(f"{label}.{domain}" for label in document.spec.hostnames) if document else ()
