"""A deployment with all that its manifests follow from."""

from __future__ import annotations

from dataclasses import dataclass

from intents.documents import Document
from intents.identity import namespace
from intents.kinds import ClusterSpec, ModelDeploymentSpec, RolloutSpec
from intents.kinds.cluster import KServeMode
from intents.kinds.rollout import LiveVersion
from intents.tree import Tree
from renderers import marks
from renderers.kueue import SERVING_LABELS
from renderers.site import hosts_of, site_of
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
    """What KServe's kinds carry: the same, what keeps them behind the edge, and the queue of their pods."""

    @property
    def model(self) -> str:
        """The one model it serves; checks see to that."""
        return self.versions[0].model_name

    @property
    def divided_by_graph(self) -> bool:
        """Whether an InferenceGraph is to divide its inferences, once there is anything to divide."""
        return self.target.spec.traffic.divided_by_graph

    @property
    def most_replicas(self) -> int:
        """How many pods the version with the most of them may have."""
        return max(each.replicas.max for each in self.versions)


def live_deployment(tree: Tree, unit: Unit) -> LiveDeployment | None:
    """Return a deployment as it is served; None before its Rollout. Raises InvalidIntent without cluster or tenant."""
    tenant, project, name = unit.tenant, unit.project, unit.name
    target, rollout = tree.deployment(tenant, project, name), tree.rollout(tenant, project, name)
    if target is None or rollout is None:
        return None
    cluster = site_of(tree, unit).spec
    labels = {marks.TENANT: tenant, marks.PROJECT: project, marks.DEPLOYMENT: name}
    return LiveDeployment(
        target,
        rollout,
        cluster,
        hosts_of(tree, unit),
        tenant,
        project,
        name,
        namespace(tenant, project),
        rollout.spec.live,
        labels,
        {**labels, **_BEHIND_THE_EDGE[cluster.kserve.mode], **SERVING_LABELS},
    )
