"""Keeps the edge in front of the API on the tenants' hosts, where models are served elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from intents.tree import Tree
from reconciler.planning.observations import EdgeConfig
from reconciler.planning.serving import edge_config
from reconciler.ports.serving import Edge
from reconciler.workers.loop import Turned


@dataclass
class TenantHosts:
    """Publishes the tenants' hosts, and no route of any deployment; a successor publishes once."""

    advance: Callable[[], Awaitable[Tree]]
    edge: Edge
    _published: EdgeConfig | None = None

    async def turn(self) -> Turned:
        """Bring the edge to the newest tree."""
        config = edge_config(await self.advance(), ())
        if config != self._published:
            await self.edge.publish(config)
            self._published = config
        return Turned.IDLE
