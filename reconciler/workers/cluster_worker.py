"""The deployment worker of a cluster: tells Argo CD what changed, and says what is served and what is in the way.

It applies nothing: manifests reach the cluster by Argo CD alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from intents.tree import Tree
from reconciler.planning.cluster_objects import ClusterView
from reconciler.planning.cluster_serving import ClusterServing, Rendered, Spells, observed_condition
from reconciler.planning.deliveries import Abandon, Ask, Asked, Generate, Refresh, asks
from reconciler.planning.manifests import Manifest
from reconciler.ports.cluster import Cluster
from reconciler.ports.repository import Repository
from reconciler.ports.status_ledger import StatusLedger
from reconciler.workers.loop import Turned
from reconciler.workers.rendered_branch import DeploymentKey, RenderedBranch, Touched, deployment_of
from reconciler.workers.served_record import Observed, ServedRecord

log = logging.getLogger(__name__)

AWAY_AFTER = timedelta(seconds=10)
"""How long a cluster must be out of sight before every deployment says so: an API server restarts in less."""


@dataclass
class ClusterWorker:
    """Observe, ask, record. Everything it does may be repeated by a successor."""

    repository: Repository
    advance: Callable[[], Awaitable[Tree]]
    cluster: Cluster
    status: StatusLedger
    name: str
    now: Callable[[], datetime]
    _branch: RenderedBranch = field(init=False)
    _record: ServedRecord = field(init=False)
    _asked: Asked = field(default_factory=Asked)
    _serving: dict[DeploymentKey, ClusterServing] = field(default_factory=dict)
    _manifests: Mapping[DeploymentKey, Mapping[str, Manifest]] = field(default_factory=dict)
    _folders: frozenset[str] = frozenset()
    _found: dict[DeploymentKey, Observed] = field(default_factory=dict)
    _judged: tuple[int, str | None] | None = None
    """The view's version and the branch's head of the last judgement of all."""
    _sight: Spells = field(default_factory=Spells)
    _is_away: bool = False

    def __post_init__(self) -> None:
        """Begin with nothing read and nothing noted."""
        self._branch = RenderedBranch(self.repository, self.name)
        self._record = ServedRecord(self.status)

    async def turn(self) -> Turned:
        """Ask Argo CD to look at what it does not know yet, and note what is served."""
        tree = await self.advance()
        await asyncio.to_thread(self._load)
        view = await self.cluster.seen()
        touched = await asyncio.to_thread(self._touched, _commits(view))
        for ask in self._asked.due(self._wanted(view, touched), self._branch.head or "", self.now()):
            await self._ask(ask)
        self._judge(await self.cluster.seen(), touched)
        await self._record.note(tree, self._found, self._branch.head or "")
        await self._note_sight(view)
        return Turned.IDLE

    def _load(self) -> None:
        """Read what changed on the branch, and group it."""
        if not self._branch.advance():
            return
        grouped: defaultdict[DeploymentKey, dict[str, Manifest]] = defaultdict(dict)
        for path, manifest in sorted(self._branch.by_path.items()):
            grouped[deployment_of(manifest)][path] = manifest
        self._manifests = grouped
        self._folders = self._branch.folders()

    def _touched(self, commits: Iterable[str]) -> Mapping[str, Touched | None]:
        return {commit: self._branch.touched_since(commit) for commit in commits}

    def _wanted(self, view: ClusterView, touched: Mapping[str, Touched | None]) -> list[Ask]:
        """Return what Argo CD should look at."""

        def is_stale(folder: str) -> bool:
            application = view.applications[folder]
            known = (touched.get(commit) for commit in (application.synced, application.compared) if commit)
            return not any(each is not None and folder not in each.folders for each in known)

        stale = [folder for folder in view.applications if is_stale(folder)]
        return list(asks(self.name, self._folders, view.applications, stale))

    async def _ask(self, ask: Ask) -> None:
        match ask:
            case Refresh(application, _):
                await self.cluster.refresh(application)
            case Generate(application_set, _):
                await self.cluster.generate(application_set)
            case Abandon(application):
                log.warning("%s is to go: its sync is given up", application)
                await self.cluster.abandon(application)
            case _:
                assert_never(ask)

    def _judge(self, view: ClusterView, touched: Mapping[str, Touched | None]) -> None:
        """Judge every deployment if anything changed, else those that time alone may settle."""
        at = (view.version, self._branch.head)
        everything = at != self._judged
        for gone in self._serving.keys() - self._manifests.keys():
            del self._serving[gone]
        self._found = {key: each for key, each in self._found.items() if key in self._manifests}
        for key, manifests in self._manifests.items():
            if everything or not _is_settled(self._found.get(key)):
                self._judge_one(key, manifests, view, touched)
        self._judged = at

    def _judge_one(
        self,
        key: DeploymentKey,
        manifests: Mapping[str, Manifest],
        view: ClusterView,
        touched: Mapping[str, Touched | None],
    ) -> None:
        def same_at(commit: str) -> bool:
            found = touched.get(commit)
            return found is not None and key not in found.deployments

        rendered = Rendered(manifests, "/".join(key[:2]), self._branch.head or "", same_at)
        serving = self._serving.setdefault(key, ClusterServing())
        judged = serving.judged(rendered, view, self.now())
        if judged is not None:
            self._found[key] = judged

    async def _note_sight(self, view: ClusterView) -> None:
        """Say at every deployment that the cluster is out of sight, and that it is seen again."""
        is_away = self._sight.lasted("away", self.now(), holds=bool(view.away)) >= AWAY_AFTER
        if is_away == self._is_away:
            return
        if is_away:
            log.error("cluster %s cannot be watched: %s", self.name, view.away)
        for key, (served, _) in self._found.items():
            condition = observed_condition(served, view.away if is_away else "")
            await self.status.record_condition(*key, condition, self._branch.head or "", None)
        self._is_away = is_away


def _commits(view: ClusterView) -> set[str]:
    found = (commit for each in view.applications.values() for commit in (each.synced, each.compared))
    return {commit for commit in found if commit}


def _is_settled(found: Observed | None) -> bool:
    """Say whether nothing is waited for."""
    if found is None:
        return False
    served, conditions = found
    return all(each.status for each in conditions) and all(each.active_requests == 0 for each in served.versions)
