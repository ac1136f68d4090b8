"""The edge of one machine: Envoy, fed by two files."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from reconciler.drivers.local.envoy_config import (
    API_CLUSTER,
    ROUTE_CONFIGURATION,
    EdgePerson,
    Resource,
    cluster_resources,
    discovery,
    route_resources,
    with_clusters_of,
)
from reconciler.planning.observations import EdgeConfig
from reconciler.ports.errors import Waiting

__all__ = ["EdgePerson", "EnvoyEdge"]

# A file is live within milliseconds of its rename; seconds mean that Envoy refuses it or is not there.
_TAKEN_WITHIN = 5.0
_POLL = 0.01
_ADMIN_TIMEOUT = 2.0
_CLUSTERS_VERSION = "cluster_manager.cds.version_text"
_ROUTES_VERSION = f"http.edge.rds.{ROUTE_CONFIGURATION}.version_text"
_WARMING = "cluster_manager.warming_clusters"
_STATS = r"^(cluster_manager\.(cds\.version_text|warming_clusters)|http\.edge\.rds\.edge\.version_text)$"

Stats = dict[str, Any]


class EnvoyEdge:
    """Implements `Edge`. One process at a time may publish.

    Order makes a change invisible to requests: first every cluster of before and after, then the routes, then
    the clusters of after alone; each step only once Envoy's admin shows the one before. Both files stay valid
    at every moment, so an Envoy that restarts in between comes up with what it routed last.
    """

    def __init__(
        self, rds_path: Path, cds_path: Path, admin_socket: Path, api_socket: Path, person: EdgePerson
    ) -> None:
        self._rds_path = rds_path
        self._cds_path = cds_path
        self._api_socket = api_socket
        self._person = person
        transport = httpx.AsyncHTTPTransport(uds=str(admin_socket))
        self._admin = httpx.AsyncClient(transport=transport, base_url="http://envoy", timeout=_ADMIN_TIMEOUT)

    async def publish(self, config: EdgeConfig) -> None:
        """Route by `config`; raises `Waiting` while Envoy cannot be reached or has not taken it."""
        routes = route_resources(config, self._person)
        clusters = cluster_resources(config, str(self._api_socket))
        if _resources(self._rds_path) != routes or _resources(self._cds_path) != clusters:
            await self._put_clusters(with_clusters_of(_resources(self._cds_path), clusters))
        await self._put_routes(routes)
        await self._put_clusters(clusters)

    async def active_requests(self) -> dict[str, int]:
        """Return, by server key, the requests in flight now."""
        status = (await self._ask("/clusters?format=json")).json()
        clusters = status.get("cluster_statuses", [])
        return {each["name"]: _active(each) for each in clusters if each["name"] != API_CLUSTER}

    async def close(self) -> None:
        """Close the connection to the admin socket."""
        await self._admin.aclose()

    async def _put_clusters(self, resources: Sequence[Resource]) -> None:
        version = _put(self._cds_path, resources)
        await self._until(
            lambda stats: stats.get(_CLUSTERS_VERSION) == version and not stats.get(_WARMING), self._cds_path
        )

    async def _put_routes(self, resources: Sequence[Resource]) -> None:
        version = _put(self._rds_path, resources)
        await self._until(lambda stats: stats.get(_ROUTES_VERSION) == version, self._rds_path)

    async def _until(self, taken: Callable[[Stats], bool], path: Path) -> None:
        deadline = time.monotonic() + _TAKEN_WITHIN
        while not taken(await self._stats()):
            if time.monotonic() > deadline:
                raise Waiting(f"Envoy has not taken {path.name} within {_TAKEN_WITHIN:g} s; its log says why")
            await asyncio.sleep(_POLL)

    async def _stats(self) -> Stats:
        answer = (await self._ask("/stats", {"format": "json", "filter": _STATS})).json()
        return {stat["name"]: stat["value"] for stat in answer["stats"] if "name" in stat}

    async def _ask(self, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        try:
            return (await self._admin.get(path, params=query)).raise_for_status()
        except httpx.HTTPError as error:
            raise Waiting(f"Envoy's admin socket does not answer: {type(error).__name__} {error}") from error


def _active(cluster: dict[str, Any]) -> int:
    """Return the requests in flight of one cluster of `/clusters?format=json`; a zero value is left out there."""
    stats = (stat for host in cluster.get("host_statuses", []) for stat in host.get("stats", []))
    return sum(int(stat.get("value", 0)) for stat in stats if stat.get("name") == "rq_active")


def _document(path: Path) -> Resource:
    """Return a discovery file; an empty one where it is not there yet."""
    try:
        document: Resource = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {"resources": []}
    return document


def _resources(path: Path) -> list[Resource]:
    resources: list[Resource] = _document(path)["resources"]
    return resources


def _put(path: Path, resources: Sequence[Resource]) -> str:
    """Have the file hold the resources, durably and whole, and return their version. The same ones are not written."""
    document = discovery(resources)
    if _document(path) != document:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    return str(document["version_info"])
