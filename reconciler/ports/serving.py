"""Port: what serves models and routes traffic to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.planning.observations import EdgeConfig, ServerObservation, ServerSpec


class ModelServers(Protocol):
    """Servers of model versions; one a ServerSpec.

    `start` claims and returns; readiness is seen by `observe` and means that a real inference was
    answered. A server whose model bytes do not give the digest of its spec is never started: it is
    observed as FAILED with the reason. All calls may be repeated.
    """

    async def observe(self) -> Sequence[ServerObservation]:
        """Return every server there is, whoever started it. Probes those not yet known to be ready."""
        ...

    async def start(self, spec: ServerSpec) -> None:
        """Begin to serve `spec`; a second call for a living server changes nothing."""
        ...

    async def stop(self, key: str) -> None:
        """End one server and all its processes; unknown keys are no error."""
        ...


class Edge(Protocol):
    """What routes people's requests to the API and to model servers."""

    async def publish(self, config: EdgeConfig) -> None:
        """Replace what is routed; on return the edge routes by `config`, with no request failed by it.

        Raises `Waiting` while the edge cannot be reached or has not taken the configuration yet.
        """
        ...

    async def active_requests(self) -> dict[str, int]:
        """Return, by server key, the requests in flight now; servers the edge does not know are absent."""
        ...
