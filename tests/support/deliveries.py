"""What Argo CD does with a rendered branch, on a real API server: apply, prune, and take everything away at the end."""

from __future__ import annotations

from collections.abc import Mapping

from kubernetes.client.exceptions import ApiException

from tests.support.clusters import Cluster, Manifest

Branch = Mapping[str, Manifest]
"""Manifests by their path."""


class Delivery:
    """One rendered branch on one cluster. Whoever made it ends it."""

    def __init__(self, cluster: Cluster) -> None:
        """Begin with nothing applied."""
        self.cluster = cluster
        self._applied: dict[str, Manifest] = {}
        self._namespaces: dict[str, Manifest] = {}

    def sync(self, branch: Branch, through: Cluster | None = None) -> list[str]:
        """Apply a branch, and return the refusals; `through` is another account on the same cluster.

        Workloads of the branch before are deleted first, whatever they were: a mode of KServe cannot be changed.
        """
        before = self._applied
        self._delete({path: each for path, each in before.items() if path not in branch or not _is_platforms(path)})
        self._make_namespaces(branch)
        account = through or self.cluster
        self._applied = dict(sorted(branch.items(), key=_order))
        return [refusal for path, each in self._applied.items() for refusal in _refusals(account, path, each)]

    def end(self) -> None:
        """Delete all that was applied, workloads first, and the namespaces made for it."""
        self._delete(self._applied)
        self.cluster.delete(self._namespaces.values())
        self._applied, self._namespaces = {}, {}

    def _make_namespaces(self, branch: Branch) -> None:
        """Make the namespaces that a branch takes for granted, such as Argo CD's."""
        own = {each["metadata"]["name"] for each in branch.values() if each["kind"] == "Namespace"}
        needed = {each["metadata"]["namespace"] for each in branch.values() if "namespace" in each["metadata"]}
        for name in sorted(needed - own - self._namespaces.keys()):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            if self.cluster.stored(namespace) is None:
                self._namespaces[name] = self.cluster.apply(namespace)

    def _delete(self, branch: Branch) -> None:
        self.cluster.delete(each for _, each in sorted(branch.items(), key=_order, reverse=True))


def _is_platforms(path: str) -> bool:
    return path.startswith("platform/")


def _order(item: tuple[str, Manifest]) -> tuple[bool, bool, bool, str]:
    """Namespaces, then what a cluster needs once, then what fences tenants, then their workloads."""
    path, manifest = item
    return manifest["kind"] != "Namespace", not path.startswith("platform/cluster/"), not _is_platforms(path), path


def _refusals(account: Cluster, path: str, manifest: Manifest) -> list[str]:
    try:
        account.apply(manifest)
    except ApiException as error:
        return [f"{path}: {error.body}"]
    return []
