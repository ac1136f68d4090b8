"""Cluster and tenants → Argo CD: what applies which folder of the rendered branch, and what each may contain.

Seen on Argo CD 3.6: ApplicationSets whose template names a `project` by a field are refused by Argo CD's API but taken
from Kubernetes, which is how they come here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from intents.identity import namespace
from intents.kinds.cluster import ArgoCd
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.site import CONTROL_NAMESPACE, EDGE_NAMESPACE, site_of
from renderers.unit import Unit

API_VERSION = "argoproj.io/v1alpha1"
SERVER = "https://kubernetes.default.svc"
"""The cluster that Argo CD itself runs on."""

GroupKind = tuple[str, str]

TENANT_KINDS: tuple[GroupKind, ...] = (
    ("gateway.envoyproxy.io", "Backend"),
    ("gateway.envoyproxy.io", "BackendTrafficPolicy"),
    ("gateway.envoyproxy.io", "SecurityPolicy"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("policy", "PodDisruptionBudget"),
    ("serving.kserve.io", "InferenceGraph"),
    ("serving.kserve.io", "InferenceService"),
    ("trainer.kubeflow.org", "TrainJob"),
)
"""What tenants' folders may hold. Nothing of it is cluster-scoped."""

PLATFORM_KINDS: tuple[GroupKind, ...] = (
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "ServiceAccount"),
    ("argoproj.io", "AppProject"),
    ("argoproj.io", "ApplicationSet"),
    ("gateway.envoyproxy.io", "BackendTrafficPolicy"),
    ("gateway.envoyproxy.io", "ClientTrafficPolicy"),
    ("gateway.envoyproxy.io", "SecurityPolicy"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("gateway.networking.k8s.io", "ReferenceGrant"),
    ("kueue.x-k8s.io", "LocalQueue"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
)
"""What the platform's own folders may hold in namespaces."""

CLUSTER_KINDS: tuple[GroupKind, ...] = (
    ("", "Namespace"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("kueue.x-k8s.io", "ClusterQueue"),
    ("kueue.x-k8s.io", "ResourceFlavor"),
    ("kueue.x-k8s.io", "WorkloadPriorityClass"),
    ("policies.kyverno.io", "ValidatingPolicy"),
    ("serving.kserve.io", "ClusterServingRuntime"),
    ("serving.kserve.io", "ClusterStorageContainer"),
    ("trainer.kubeflow.org", "ClusterTrainingRuntime"),
)
"""What they may hold beside that."""

_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_ALL_PROJECTS = namespace("*", "*")


def render_delivery(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the platform's AppProject and the two ApplicationSets of a cluster; none where no Argo CD is."""
    there = site_of(tree, unit).kubernetes
    if there is None:
        return
    argocd = there.argocd
    spaces = (EDGE_NAMESPACE, CONTROL_NAMESPACE, argocd.namespace, _ALL_PROJECTS)
    yield _project(argocd, project_name(unit.cluster, "platform"), spaces, PLATFORM_KINDS, CLUSTER_KINDS)
    yield _application_set(
        unit,
        argocd,
        "platform",
        [{"path": "platform/cluster"}, {"path": "platform/tenants/*"}],
        {"project": project_name(unit.cluster, "platform"), "namespace": EDGE_NAMESPACE},
    )
    tenant, project = "{{index .path.segments 0}}", "{{index .path.segments 1}}"
    yield _application_set(
        unit,
        argocd,
        "tenants",
        [{"path": "*/*"}, {"path": "platform/*", "exclude": True}],
        {"project": project_name(unit.cluster, tenant), "namespace": namespace(tenant, project)},
        {marks.TENANT: tenant, marks.PROJECT: project},
    )


def render_tenant_delivery(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield a tenant's AppProject: its namespaces on this cluster, the one repository, the kinds that are rendered."""
    there = site_of(tree, unit).kubernetes
    if there is None:
        return
    projects = tree.projects(unit.tenant)
    spaces = [namespace(unit.tenant, name) for name, each in projects.items() if each.spec.cluster == unit.cluster]
    yield _project(there.argocd, project_name(unit.cluster, unit.tenant), spaces, TENANT_KINDS, (), tenant=unit.tenant)


def project_name(cluster: str, tenant: str) -> str:
    """Return the name of a tenant's AppProject, or of the platform's: no tenant is called `platform`."""
    return f"{cluster}-{tenant}"


def _project(
    argocd: ArgoCd,
    name: str,
    spaces: Sequence[str],
    kinds: Sequence[GroupKind],
    cluster_kinds: Sequence[GroupKind],
    tenant: str = "",
) -> Manifest:
    labels = {"labels": {marks.TENANT: tenant}} if tenant else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "AppProject",
        # The finalizer keeps it until no Application is of it: without its project none could be ended.
        "metadata": {"name": name, "namespace": argocd.namespace, "finalizers": [_FINALIZER], **labels},
        "spec": {
            "sourceRepos": [argocd.repo_url],
            "destinations": [{"server": SERVER, "namespace": each} for each in spaces],
            "namespaceResourceWhitelist": [{"group": group, "kind": kind} for group, kind in kinds],
            "clusterResourceWhitelist": [{"group": group, "kind": kind} for group, kind in cluster_kinds],
        },
    }


def _application_set(
    unit: Unit,
    argocd: ArgoCd,
    name: str,
    directories: Sequence[Manifest],
    place: dict[str, str],
    labels: dict[str, str] | None = None,
) -> Manifest:
    """Return what makes one Application of each folder."""
    revision = f"refs/heads/rendered/{unit.cluster}"
    git = {"repoURL": argocd.repo_url, "revision": revision, "directories": list(directories)}
    return {
        "apiVersion": API_VERSION,
        "kind": "ApplicationSet",
        "metadata": {
            "name": f"{unit.cluster}-{name}",
            "namespace": argocd.namespace,
            # It applies its own folder: with it, all its Applications and what they applied would go.
            "annotations": {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"},
        },
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"git": git}],
            "template": {
                "metadata": _application_metadata(unit.cluster, labels or {}),
                "spec": {
                    "project": place["project"],
                    "source": {"repoURL": argocd.repo_url, "targetRevision": revision, "path": "{{.path.path}}"},
                    "destination": {"server": SERVER, "namespace": place["namespace"]},
                    "syncPolicy": _sync_policy(),
                },
            },
        },
    }


def _application_metadata(cluster: str, labels: dict[str, str]) -> Manifest:
    return {
        "name": cluster + '-{{join "--" .path.segments}}',
        "finalizers": [_FINALIZER],
        "labels": {marks.CLUSTER: cluster, **labels},
        "annotations": {
            "argocd.argoproj.io/compare-options": "ServerSideDiff=true",
            # A commit that leaves the folder as it is costs the Application nothing.
            "argocd.argoproj.io/manifest-generate-paths": ".",
        },
    }


def _sync_policy() -> Manifest:
    return {
        "automated": {"prune": True, "selfHeal": True},
        "syncOptions": [
            "ServerSideApply=true",
            "ApplyOutOfSyncOnly=true",
            "FailOnSharedResource=true",
            "PruneLast=true",
        ],
        "retry": {
            # Without end: an Application that has used its retries up does not try the same revision again (3.6,
            # controller/appcontroller.go, autoSync), and what it waited for would come in vain.
            "limit": -1,
            "backoff": {"duration": "2s", "factor": 2, "maxDuration": "3m"},
            # Without it retries hold on to the revision that failed, and the fix waits.
            "refresh": True,
        },
    }
