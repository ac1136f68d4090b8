"""The hydrator: renders the newest main onto the branch `rendered/<cluster>`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import yaml

from intents.documents import Document, of_spec
from intents.kinds import Kind, ModelDeploymentSpec
from intents.tree import Tree
from intents.writing import blob_id
from reconciler.planning.events import Fact
from reconciler.planning.serving import Condition
from reconciler.ports.repository import Change, CommitInfo, NewCommit, Repository, Signature
from reconciler.ports.status_ledger import StatusLedger
from reconciler.workers.loop import Turned
from reconciler.workers.tree_at_head import TreeAtHead
from renderers import marks
from renderers.canonical import to_yaml
from renderers.rendering import render_unit
from renderers.rendering import sources as sources_of
from renderers.unit import Unit, UnitKind

METADATA = "hydrator.metadata"


def rendered_ref(cluster: str) -> str:
    """Return the branch that holds a cluster's manifests."""
    return f"refs/heads/rendered/{cluster}"


@dataclass(frozen=True)
class Rendering:
    """The files of one deployment, with the documents they were rendered from."""

    rollout: str
    """Blob id of the rollout that was rendered."""
    sources: tuple[str, ...]
    """Blob ids of all it depends on."""
    files: Mapping[str, bytes]
    problem: str = ""
    """Why it cannot be rendered; its folder then stays as it is, and others go on."""


@dataclass
class Hydrator:
    """Keeps one cluster's branch equal to the rendered newest main; an equal tree makes no commit."""

    repository: Repository
    head: TreeAtHead
    status: StatusLedger
    cluster: str
    committer: Signature
    now: Callable[[], datetime]
    _renderings: dict[str, Rendering] = field(default_factory=dict)
    _recorded: dict[str, Rendering] = field(default_factory=dict)
    _done: str | None = None

    async def turn(self) -> Turned:
        """Render what changed since the last turn, commit it, and say for each deployment that it stands."""
        tree = await self.head.advance()
        commit = self.head.commit
        if commit is None or commit == self._done:
            return Turned.IDLE
        deployments = self._deployments(tree)
        self._renderings = await asyncio.to_thread(self._render_all, tree, deployments)
        await asyncio.to_thread(self._commit, self.repository.info(commit))
        self._recorded = {path: self._recorded[path] for path in self._recorded.keys() & deployments.keys()}
        for path, document in deployments.items():
            if self._renderings[path] is not self._recorded.get(path):
                await self._record(document, self._renderings[path], commit)
                self._recorded[path] = self._renderings[path]
        self._done = commit
        return Turned.ONE

    def _deployments(self, tree: Tree) -> dict[str, Document[ModelDeploymentSpec]]:
        """Return, by path, the deployments of projects on this cluster."""
        found: dict[str, Document[ModelDeploymentSpec]] = {}
        for path, each in tree.of_kind(Kind.MODEL_DEPLOYMENT).items():
            project = tree.project(each.identity.tenant, each.identity.project)
            document = of_spec(each, ModelDeploymentSpec)
            if document is not None and project is not None and project.spec.cluster == self.cluster:
                found[path] = document
        return found

    def _render_all(self, tree: Tree, deployments: Mapping[str, Document[ModelDeploymentSpec]]) -> dict[str, Rendering]:
        return {path: self._render(tree, document) for path, document in deployments.items()}

    def _render(self, tree: Tree, document: Document[ModelDeploymentSpec]) -> Rendering:
        """Render one deployment, or take the last rendering where its sources are the same."""
        who = document.identity
        unit = Unit(UnitKind.DEPLOYMENT, self.cluster, who.tenant, who.project, who.name)
        sources = _blobs(tree, unit)
        live = tree.rollout(who.tenant, who.project, who.name)
        rollout = live.blob if live else ""
        last = self._renderings.get(document.path)
        if last is not None and last.sources == sources:
            return last
        try:
            manifests = render_unit(tree, unit)
        except Exception as error:  # noqa: BLE001 - one deployment's render never stops the others
            files = last.files if last else self._standing(document)
            return Rendering(rollout, sources, files, f"{type(error).__name__}: {error}")
        return Rendering(rollout, sources, {path: to_yaml(manifest) for path, manifest in manifests.items()})

    def _standing(self, document: Document[ModelDeploymentSpec]) -> Mapping[str, bytes]:
        """Return a deployment's files as they are on the branch: what was rendered before this process began."""
        who, head = document.identity, self.repository.head(rendered_ref(self.cluster))
        folder = f"{who.tenant}/{who.project}/"
        here = (file for file in self.repository.files(head) if file.path.startswith(folder)) if head else ()
        bodies = {file.path: self.repository.blob(file.blob) for file in here if _is_manifest(file) and file.blob}
        return {path: body for path, body in bodies.items() if _deployment_of(body) == who.name}

    def _commit(self, source: CommitInfo) -> None:
        """Make the branch equal to the renderings, if it is not."""
        ref = rendered_ref(self.cluster)
        base = self.repository.head(ref)
        wanted = {path: body for rendering in self._renderings.values() for path, body in rendering.files.items()}
        changes = self._changes(base, wanted)
        if not changes and base is not None:
            return
        changes |= _metadata(changes, wanted, source)
        message = f"Render {source.id[:12]}: {source.subject}\n\nOrdain-Source: {source.id}\n"
        commit = NewCommit(self.committer, self.committer, self.now(), message, changes)
        self.repository.move(ref, base, self.repository.append(f"rendered-{self.cluster}", base, [commit])[0])

    def _changes(self, base: str | None, wanted: Mapping[str, bytes]) -> dict[str, bytes | None]:
        """Return what to write and what to remove for the branch to hold exactly `wanted`."""
        files = [] if base is None else self.repository.files(base)
        here = {file.path: file.blob for file in files if _is_manifest(file)}
        gone = {path: None for path in here if path not in wanted}
        new = {path: body for path, body in wanted.items() if here.get(path) != blob_id(body)}
        return {**gone, **new}

    async def _record(self, document: Document[ModelDeploymentSpec], rendering: Rendering, commit: str) -> None:
        """Note Accepted and Rendered for the document's blob."""
        who = document.identity
        key = (who.tenant, who.project, who.name)
        branch = self.repository.head(rendered_ref(self.cluster)) or ""
        accepted = Condition("Accepted", status=True, reason="Committed", message="", observed_blob=document.blob)
        await self.status.record_condition(*key, accepted, commit, None)
        rendered = rendered_condition(document.blob, rendering)
        data = {
            "branch": f"rendered/{self.cluster}",
            "rendered": branch,
            "blob": document.blob,
            "rollout": rendering.rollout,
        }
        fact = Fact(*key[:2], "deployment", "rendered" if rendered.status else "not-rendered", who.name, commit, data)
        await self.status.record_condition(*key, rendered, commit, fact)


def _is_manifest(file: Change) -> bool:
    return file.blob is not None and not file.path.endswith(METADATA)


def _deployment_of(manifest: bytes) -> str:
    """Return the deployment that a manifest was rendered for."""
    return str(yaml.load(manifest, yaml.CSafeLoader)["metadata"]["labels"].get(marks.DEPLOYMENT))


def rendered_condition(blob: str, rendering: Rendering) -> Condition:
    """Return Rendered for a deployment's blob; its message names the rollout, so that each step shows."""
    if rendering.problem:
        return _rendered("RenderFailed", rendering.problem, blob, status=False)
    if not rendering.files:
        return _rendered("NoRollout", "nothing is served before the first Rollout", blob, status=False)
    return _rendered("Rendered", f"rollout {rendering.rollout[:12]}", blob, status=True)


def _rendered(reason: str, message: str, blob: str, *, status: bool) -> Condition:
    return Condition("Rendered", status=status, reason=reason, message=message, observed_blob=blob)


def _blobs(tree: Tree, unit: Unit) -> tuple[str, ...]:
    """Return the blob ids of everything a rendering depends on, by path; of what is absent, nothing."""
    return tuple(each.blob if (each := tree.get(path)) else "" for path in sources_of(tree, unit))


def _metadata(
    changes: Mapping[str, bytes | None], wanted: Mapping[str, bytes], source: CommitInfo
) -> dict[str, bytes | None]:
    """Return the metadata file of each folder that changed; a folder that is left empty loses it."""
    folders = {path.rpartition("/")[0] for path in changes}
    living = {path.rpartition("/")[0] for path in wanted}
    body = {
        "drySha": source.id,
        "subject": source.subject,
        "author": source.author.name,
        "date": source.at.isoformat(),
    }
    content = (json.dumps(body, indent=1) + "\n").encode()
    return {f"{folder}/{METADATA}": content if folder in living else None for folder in folders if folder}
