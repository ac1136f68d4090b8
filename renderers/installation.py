"""Cluster → what people apply to it once: namespaces, what Argo CD needs to begin, and the rights of ordain itself.

Afterwards Argo CD applies the folder `platform/cluster` of the rendered branch itself, which holds the same objects
but for what is here alone: the credential of the repository and ordain's own account. Those are no business of a
controller that applies what is committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from intents.tree import Tree
from renderers.argocd import API_VERSION as ARGO_CD
from renderers.canonical import Manifest, to_yaml
from renderers.rendering import render_unit
from renderers.site import CONTROL_NAMESPACE, site_of
from renderers.unit import Unit, UnitKind

ACCOUNT = "ordain"
"""The ServiceAccount of the control plane, in its namespace."""
RBAC = "rbac.authorization.k8s.io"

Stage = tuple[str, Sequence[Manifest]]
"""A file's name, and what it holds; files are applied in order."""

_LOOK = ("get", "list", "watch")
_WATCHED: Sequence[tuple[str, str, Sequence[str]]] = (
    ("", "pods", _LOOK),
    ("apps", "deployments", _LOOK),
    ("gateway.networking.k8s.io", "httproutes", _LOOK),
    ("serving.kserve.io", "inferenceservices", _LOOK),
    # Duplicates of a run's Workflow are looked for, and ended, where nothing names Workflows after their runs.
    ("argoproj.io", "workflows", ("list", "delete")),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies", ("get",)),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", ("get",)),
)
"""What the control plane does on the whole cluster: it looks. Argo CD alone applies."""
_ASKED: Sequence[tuple[str, str, Sequence[str]]] = (
    ("argoproj.io", "applications", (*_LOOK, "patch")),
    ("argoproj.io", "applicationsets", (*_LOOK, "patch")),
)
"""What it does in Argo CD's namespace: it looks, and annotates."""


def installation(tree: Tree, cluster: str) -> Iterator[Stage]:
    """Yield what a cluster needs once, by file; none where it is not on Kubernetes. Raises InvalidIntent."""
    unit = Unit(UnitKind.CLUSTER, cluster)
    there = site_of(tree, unit).kubernetes
    if there is None:
        return
    rendered = list(render_unit(tree, unit).values())
    begins = [each for each in rendered if each["apiVersion"] == ARGO_CD]
    spaces = [each for each in rendered if each["kind"] == "Namespace"]
    rest = [each for each in rendered if each not in begins and each not in spaces]
    yield "1-namespaces.yaml", spaces
    yield "2-access.yaml", list(_access(cluster, there.argocd.namespace))
    yield "3-repository.yaml", [_repository(cluster, there.argocd.namespace, there.argocd.repo_url)]
    yield "4-cluster.yaml", rest
    # An ApplicationSet makes Applications at once: their project comes before it, and all else before both.
    yield "5-delivery.yaml", sorted(begins, key=lambda each: (each["kind"] != "AppProject", each["metadata"]["name"]))


def to_stream(manifests: Sequence[Mapping[str, object]]) -> bytes:
    """Return manifests as one stream of YAML documents."""
    return b"---\n".join(to_yaml(dict(each)) for each in manifests)


def _repository(cluster: str, argo_cd: str, url: str) -> Manifest:
    """Return the Secret by which Argo CD knows the repository, without the credential: whoever has that adds it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"ordain-{cluster}",
            "namespace": argo_cd,
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {"name": f"ordain-{cluster}", "type": "git", "url": url},
    }


def _access(cluster: str, argo_cd: str) -> Iterator[Manifest]:
    """Yield the account of the control plane and its rights."""
    yield _object("v1", "ServiceAccount", ACCOUNT, CONTROL_NAMESPACE)
    looks, asks = f"ordain-{cluster}-looks", f"ordain-{cluster}-asks"
    yield {**_object(f"{RBAC}/v1", "ClusterRole", looks), "rules": _rules(_WATCHED)}
    yield {**_object(f"{RBAC}/v1", "ClusterRoleBinding", looks), **_binds("ClusterRole", looks)}
    yield {**_object(f"{RBAC}/v1", "Role", asks, argo_cd), "rules": _rules(_ASKED)}
    yield {**_object(f"{RBAC}/v1", "RoleBinding", asks, argo_cd), **_binds("Role", asks)}


def _rules(rights: Sequence[tuple[str, str, Sequence[str]]]) -> list[Manifest]:
    return [{"apiGroups": [group], "resources": [name], "verbs": list(verbs)} for group, name, verbs in rights]


def _binds(kind: str, role: str) -> Manifest:
    return {
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": CONTROL_NAMESPACE}],
    }


def _object(api_version: str, kind: str, name: str, namespace: str = "") -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
