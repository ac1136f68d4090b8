"""Rendered manifests read back: what the local driver is to serve and to route."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from intents.quantities import duration_seconds
from reconciler.planning.observations import Backend, EdgeRoute, ServerSpec
from renderers import marks

Manifest = Mapping[str, Any]


def is_of_a_deployment(manifest: Manifest) -> bool:
    """Say whether a manifest was rendered for a deployment."""
    return marks.DEPLOYMENT in manifest["metadata"].get("labels", {})


def server_specs(manifests: Iterable[Manifest]) -> tuple[ServerSpec, ...]:
    """Return the servers that the InferenceServices among `manifests` ask for, by namespace and name."""
    services = (each for each in manifests if each["kind"] == "InferenceService")
    return tuple(sorted(map(server_spec, services), key=lambda spec: (spec.namespace, spec.name)))


def edge_routes(manifests: Iterable[Manifest], addresses: Mapping[str, str]) -> tuple[EdgeRoute, ...]:
    """Return the routes that the HTTPRoutes among `manifests` ask for, one a host name.

    `addresses` gives `host:port` by server key. A version without an address is left out, so a route may
    have no backend at all: whoever publishes decides whether to wait.
    """
    known = list(manifests)
    servers = {(spec.namespace, f"{spec.name}-predictor"): spec.key for spec in server_specs(known)}
    routes = sorted(deployment_routes(known), key=_place)
    return tuple(
        _edge_route(route, hostname, servers, addresses) for route in routes for hostname in route["spec"]["hostnames"]
    )


def deployment_routes(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield one HTTPRoute a deployment, the one of its name; others of it hold further paths and the same weights."""
    for each in manifests:
        metadata = each["metadata"]
        if each["kind"] == "HTTPRoute" and metadata["name"] == metadata["labels"][marks.DEPLOYMENT]:
            yield each


def weighted_rule(route: Manifest) -> Manifest:
    """Return the rule that divides a deployment's requests by weight: the first that matches no header.

    Of a route that was not rendered it may be any, or none.
    """
    rules: Iterable[Manifest] = route["spec"].get("rules", ())
    return next((rule for rule in rules if not any("headers" in match for match in rule.get("matches", ()))), {})


def server_spec(service: Manifest) -> ServerSpec:
    """Return the server that one InferenceService asks for."""
    metadata = service["metadata"]
    return ServerSpec(
        namespace=metadata["namespace"],
        name=metadata["name"],
        model=metadata["annotations"][marks.MODEL],
        storage_uri=service["spec"]["predictor"]["model"]["storageUri"],
        digest=metadata["annotations"][marks.MODEL_DIGEST],
    )


def _edge_route(
    route: Manifest,
    hostname: str,
    servers: Mapping[tuple[str, str], str],
    addresses: Mapping[str, str],
) -> EdgeRoute:
    metadata, rule = route["metadata"], weighted_rule(route)
    return EdgeRoute(
        hostname=hostname,
        tenant=metadata["labels"][marks.TENANT],
        project=metadata["labels"][marks.PROJECT],
        deployment=metadata["labels"][marks.DEPLOYMENT],
        model=metadata["annotations"][marks.MODEL],
        backends=_backends(metadata["namespace"], rule["backendRefs"], servers, addresses),
        timeout_seconds=float(duration_seconds(rule["timeouts"]["request"])),
    )


def _backends(
    namespace: str,
    references: Iterable[Manifest],
    servers: Mapping[tuple[str, str], str],
    addresses: Mapping[str, str],
) -> tuple[Backend, ...]:
    keyed = ((servers.get((namespace, each["name"]), ""), each["weight"]) for each in references)
    return tuple(Backend(key, addresses[key], weight) for key, weight in keyed if key in addresses)


def _place(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]
