"""The deployment worker of one machine: makes the rendered manifests real and says what is served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

import yaml

from intents.kinds import Kind
from intents.tree import Tree
from reconciler.planning.hydration import is_manifest, rendered_ref
from reconciler.planning.manifests import Manifest, edge_routes, is_of_a_deployment, server_specs
from reconciler.planning.observations import EdgeConfig, ServerObservation
from reconciler.planning.serving import (
    Publish,
    Served,
    ServingAction,
    Start,
    Stop,
    addresses_of,
    conditions_of,
    edge_config,
    plan_serving,
    served_of,
)
from reconciler.ports.repository import Repository
from reconciler.ports.serving import Edge, ModelServers
from reconciler.ports.status_ledger import StatusLedger
from reconciler.workers.loop import Turned

log = logging.getLogger(__name__)

PLATFORM_FOLDER = "platform/"
"""On the rendered branch: what fences tenants, and is of no deployment."""
DeploymentKey = tuple[str, str, str]
"""Tenant, project and name."""


@dataclass
class DeploymentWorker:
    """Observe, plan, execute, record. Everything it does may be repeated by a successor."""

    repository: Repository
    advance: Callable[[], Awaitable[Tree]]
    servers: ModelServers
    edge: Edge
    status: StatusLedger
    cluster: str
    _commit: str | None = None
    _by_path: dict[str, Manifest] = field(default_factory=dict)
    _manifests: Sequence[Manifest] = ()
    _published: EdgeConfig | None = None
    _recorded: dict[DeploymentKey, Served] = field(default_factory=dict)
    _kept: set[DeploymentKey] | None = None
    """The deployments that may have a status; None before the first turn."""

    async def turn(self) -> Turned:
        """Bring servers and routes to the newest rendered manifests, and note what is served."""
        tree = await self.advance()
        await asyncio.to_thread(self._load)
        seen = await self._observe()
        config = edge_config(tree, edge_routes(self._manifests, addresses_of(seen.values())))
        actions = plan_serving(server_specs(self._manifests), config, self._published, list(seen.values()))
        for action in actions:
            await self._execute(action)
        if actions:  # what was in flight before the routes moved does not say that a version is drained
            seen = await self._observe()
        await self._record(tree, served_of(self._manifests, seen, self._routed_servers()))
        return Turned.IDLE

    def _load(self) -> None:
        """Read what changed on the branch since the last time, of what deployments were rendered to."""
        head = self.repository.head(rendered_ref(self.cluster))
        if head is None or head == self._commit:
            return
        for change in self.repository.changes(self._commit, head):
            self._by_path.pop(change.path, None)
            if change.blob and is_manifest(change.path) and not change.path.startswith(PLATFORM_FOLDER):
                manifest = yaml.load(self.repository.blob(change.blob), yaml.CSafeLoader)
                if is_of_a_deployment(manifest):
                    self._by_path[change.path] = manifest
        self._manifests = [manifest for _, manifest in sorted(self._by_path.items())]
        self._commit = head

    async def _observe(self) -> Mapping[str, ServerObservation]:
        """Return every server by key, with the requests the edge has in flight to it."""
        active = await self.edge.active_requests()
        return {
            server.key: replace(server, active_requests=active.get(server.key, 0))
            for server in await self.servers.observe()
        }

    async def _execute(self, action: ServingAction) -> None:
        match action:
            case Start(spec):
                log.info("starting %s", spec.key)
                await self.servers.start(spec)
            case Publish(config):
                await self.edge.publish(config)
                self._published = config
            case Stop(key):
                log.info("stopping %s", key)
                await self.servers.stop(key)
            case _:
                assert_never(action)

    def _routed_servers(self) -> set[str]:
        routes = self._published.routes if self._published else ()
        return {backend.server for route in routes for backend in route.backends}

    async def _record(self, tree: Tree, served: Sequence[Served]) -> None:
        """Note what changed since the last turn; a successor notes everything once."""
        found = {(each.tenant, each.project, each.deployment): each for each in served}
        asked = (each.identity for each in tree.of_kind(Kind.MODEL_DEPLOYMENT).values())
        keep = {*found, *((each.tenant, each.project, each.name) for each in asked)}
        if keep != self._kept:
            await self.status.forget_deployments(sorted(keep))
            self._kept = keep
        for key, each in found.items():
            if self._recorded.get(key) != each:
                await self.status.record_served(each, conditions_of(each), self._commit or "")
        self._recorded = found
