"""The deployment worker of one machine: makes the rendered manifests real and says what is served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from intents.tree import Tree
from reconciler.planning.manifests import edge_routes, server_specs
from reconciler.planning.observations import EdgeConfig, ServerObservation
from reconciler.planning.serving import (
    Publish,
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
from reconciler.workers.rendered_branch import RenderedBranch
from reconciler.workers.served_record import ServedRecord

log = logging.getLogger(__name__)


@dataclass
class DeploymentWorker:
    """Observe, plan, execute, record. Everything it does may be repeated by a successor."""

    repository: Repository
    advance: Callable[[], Awaitable[Tree]]
    servers: ModelServers
    edge: Edge
    status: StatusLedger
    cluster: str
    _branch: RenderedBranch = field(init=False)
    _record: ServedRecord = field(init=False)
    _published: EdgeConfig | None = None

    def __post_init__(self) -> None:
        """Begin with nothing read and nothing noted."""
        self._branch = RenderedBranch(self.repository, self.cluster)
        self._record = ServedRecord(self.status)

    async def turn(self) -> Turned:
        """Bring servers and routes to the newest rendered manifests, and note what is served."""
        tree = await self.advance()
        await asyncio.to_thread(self._branch.advance)
        manifests = [manifest for _, manifest in sorted(self._branch.by_path.items())]
        seen = await self._observe()
        config = edge_config(tree, edge_routes(manifests, addresses_of(seen.values())))
        actions = plan_serving(server_specs(manifests), config, self._published, list(seen.values()))
        for action in actions:
            await self._execute(action)
        if actions:  # what was in flight before the routes moved does not say that a version is drained
            seen = await self._observe()
        served = served_of(manifests, seen, self._routed_servers())
        found = {(each.tenant, each.project, each.deployment): (each, conditions_of(each)) for each in served}
        await self._record.note(tree, found, self._branch.head or "")
        return Turned.IDLE

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
