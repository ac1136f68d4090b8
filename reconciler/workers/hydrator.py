"""The hydrator: renders the newest main onto the branch `rendered/<cluster>`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from intents.tree import Tree
from reconciler.planning.events import Fact
from reconciler.planning.hydration import (
    Files,
    Renderings,
    Source,
    is_manifest,
    metadata_files,
    rendered_condition,
    rendered_ref,
)
from reconciler.planning.serving import Condition
from reconciler.ports.repository import NewCommit, Repository, Signature
from reconciler.ports.status_ledger import StatusLedger
from reconciler.workers.loop import Turned
from reconciler.workers.tree_at_head import TreeAtHead
from renderers.unit import Unit, UnitKind

log = logging.getLogger(__name__)


@dataclass
class Hydrator:
    """Keeps one cluster's branch equal to the rendered newest main; an equal tree makes no commit."""

    repository: Repository
    head: TreeAtHead
    status: StatusLedger
    cluster: str
    committer: Signature
    now: Callable[[], datetime]
    _rendered: str | None = None
    """The commit of main that the renderings are of."""
    _branch: str | None = None
    """The commit of the branch that holds the renderings; None where that has to be looked up."""
    _done: str | None = None
    _unrecorded: set[Unit] = field(default_factory=set)
    _renderings: Renderings = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing rendered."""
        self._renderings = Renderings(self.cluster)

    async def turn(self) -> Turned:
        """Render what changed since the last turn, commit it, and say for each deployment that it stands."""
        tree = await self.head.advance()
        commit = self.head.commit
        if commit is None or commit == self._done:
            return Turned.IDLE
        await asyncio.to_thread(self._hydrate, tree, commit)
        for unit in sorted(self._unrecorded):
            await self._record(tree, unit, commit)
            self._unrecorded.discard(unit)
        self._done = commit
        return Turned.ONE

    def _hydrate(self, tree: Tree, commit: str) -> None:
        """Render what follows from the paths that changed, and commit it."""
        known, self._branch = self._branch, None  # what goes wrong from here on, the branch tells the next turn
        base = self.repository.head(rendered_ref(self.cluster))
        unknown = base is None or base != known or self._renderings.is_partial
        files, affected = self._renderings.advance(tree, self._changed_since(commit))
        self._rendered = commit
        self._unrecorded |= {unit for unit in affected if unit.kind is UnitKind.DEPLOYMENT}
        self._tell_failures(affected)
        if unknown:
            files = self._renderings.difference(tree, self._standing(base), files)
        self._branch = base if base and not files else self._commit(base, files, self._source(tree, commit))

    def _tell_failures(self, units: Iterable[Unit]) -> None:
        """Say which units stay as they are; only deployments have conditions to say it in."""
        for unit in units:
            rendering = self._renderings.get(unit)
            if rendering is not None and rendering.problem:
                where = "/".join(part for part in (unit.tenant, unit.project, unit.name) if part) or self.cluster
                log.error("%s %s cannot be rendered and stays as it is: %s", unit.kind, where, rendering.problem)

    def _changed_since(self, commit: str) -> list[str] | None:
        """Return the paths that differ from what was rendered last; None before the first time."""
        if self._rendered is None:
            return None
        return [change.path for change in self.repository.changes(self._rendered, commit)]

    def _standing(self, base: str | None) -> dict[str, str]:
        """Return the blob ids of the manifests on the branch, by path."""
        files = self.repository.files(base) if base else ()
        return {file.path: file.blob for file in files if file.blob and is_manifest(file.path)}

    def _source(self, tree: Tree, commit: str) -> Source:
        info, cluster = self.repository.info(commit), tree.cluster(self.cluster)
        there = cluster.spec.kubernetes if cluster else None
        author = f"{info.author.name} <{info.author.email}>"
        return Source(info.id, author, info.at, info.subject, there.argocd.repo_url if there else "")

    def _commit(self, base: str | None, files: Files, source: Source) -> str:
        """Make the branch hold these files; returns its new commit."""
        message = f"Render {source.id[:12]}: {source.subject}\n\nOrdain-Source: {source.id}\n"
        changes = files | metadata_files(files, self._renderings, source)
        commit = NewCommit(self.committer, self.committer, self.now(), message, changes)
        (made,) = self.repository.append(f"rendered-{self.cluster}", base, [commit])
        self.repository.move(rendered_ref(self.cluster), base, made)
        return made

    async def _record(self, tree: Tree, unit: Unit, commit: str) -> None:
        """Note Accepted and Rendered for a deployment's blob."""
        key = (unit.tenant, unit.project, unit.name)
        document, rendering, live = tree.deployment(*key), self._renderings.get(unit), tree.rollout(*key)
        if document is None or rendering is None:
            return
        accepted = Condition("Accepted", status=True, reason="Committed", message="", observed_blob=document.blob)
        await self.status.record_condition(*key, accepted, commit, None)
        rollout = live.blob if live else ""
        rendered = rendered_condition(document.blob, rollout, rendering)
        data = {
            "branch": f"rendered/{self.cluster}",
            "rendered": self._branch or "",
            "blob": document.blob,
            "rollout": rollout,
        }
        verb = "rendered" if rendered.status else "not-rendered"
        fact = Fact(*key[:2], "deployment", verb, unit.name, commit, data)
        await self.status.record_condition(*key, rendered, commit, fact)
