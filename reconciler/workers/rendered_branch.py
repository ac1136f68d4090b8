"""The rendered branch of a cluster as it was last read, advanced by changed paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import yaml

from reconciler.planning.hydration import is_manifest, rendered_ref
from reconciler.planning.manifests import Manifest, is_of_a_deployment
from reconciler.ports.repository import Repository
from renderers import marks

PLATFORM_FOLDER = "platform/"
"""On the rendered branch: what fences tenants, and is of no deployment."""
DeploymentKey = tuple[str, str, str]
"""Tenant, project and name."""
_MOST_COMPARED = 4096
"""Pairs of commits of which it is known what differs."""


@dataclass(frozen=True)
class Touched:
    """What differs between two commits of the branch."""

    folders: frozenset[str]
    deployments: frozenset[DeploymentKey]


@dataclass
class RenderedBranch:
    """Its manifests of deployments. All calls block; whoever is in an event loop calls them in a thread."""

    repository: Repository
    cluster: str
    head: str | None = None
    by_path: dict[str, Manifest] = field(default_factory=dict)
    """The manifests of deployments."""

    def __post_init__(self) -> None:
        """Remember what was compared."""
        self._compared = lru_cache(_MOST_COMPARED)(self._compare)

    def advance(self) -> bool:
        """Read what changed since the last time; return whether anything did."""
        head = self.repository.head(rendered_ref(self.cluster))
        if head is None or head == self.head:
            return False
        for change in self.repository.changes(self.head, head):
            self.by_path.pop(change.path, None)
            if change.blob and is_manifest(change.path) and not change.path.startswith(PLATFORM_FOLDER):
                manifest = yaml.load(self.repository.blob(change.blob), yaml.CSafeLoader)
                if is_of_a_deployment(manifest):
                    self.by_path[change.path] = manifest
        self.head = head
        return True

    def folders(self) -> frozenset[str]:
        """Return every folder with manifests."""
        files = self.repository.files(self.head) if self.head else ()
        return frozenset(_folder(file.path) for file in files if is_manifest(file.path))

    def touched_since(self, commit: str) -> Touched | None:
        """Return what differs between `commit` and the head; None where the commit is not of this repository."""
        return self._compared(commit, self.head)

    def _compare(self, commit: str, head: str | None) -> Touched | None:
        if head is None or not self.repository.has(commit):
            return None
        paths = [each.path for each in self.repository.changes(commit, head) if is_manifest(each.path)]
        owners = (self._owner(path, commit) for path in paths)
        return Touched(frozenset(map(_folder, paths)), frozenset(owner for owner in owners if owner))

    def _owner(self, path: str, commit: str) -> DeploymentKey | None:
        """Return the deployment that a path is of at the head, or else was at `commit`."""
        manifest = self.by_path.get(path)
        if manifest is None and not path.startswith(PLATFORM_FOLDER):
            body = self.repository.read(commit, path)
            manifest = yaml.load(body, yaml.CSafeLoader) if body else None
        return deployment_of(manifest) if manifest is not None and is_of_a_deployment(manifest) else None


def deployment_of(manifest: Manifest) -> DeploymentKey:
    """Return the deployment that a manifest was rendered for."""
    labels: Mapping[str, str] = manifest["metadata"]["labels"]
    return labels[marks.TENANT], labels[marks.PROJECT], labels[marks.DEPLOYMENT]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
