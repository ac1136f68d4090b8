"""Where requests go → HTTPRoutes: the allowed V2 paths of a deployment, each with its rules.

A full path is replaced by a rule of its own, so a deployment has one rule a path, and one more for each version that
some requests prefer. The Gateway API lets a route have 16 rules with 128 matches: what does not fit goes on in another
route, path by path, because rules of one path decide by their order and so stay together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from intents.kinds.traffic import Match
from renderers import marks
from renderers.canonical import Manifest
from renderers.live import LiveDeployment
from renderers.site import (
    EDGE_NAMESPACE,
    ENVOY_GATEWAY,
    GATEWAY,
    GATEWAY_API,
    PROJECT_HEADER,
    SERVER_KEY_HEADER,
    TENANT_HEADER,
)
from renderers.traffic import Preference

_PARENT = {"group": GATEWAY_API, "kind": "Gateway", "name": GATEWAY, "namespace": EDGE_NAMESPACE}
PREDICTOR_PORT = 80
RULES_PER_ROUTE = 16
MATCHES_PER_ROUTE = 128
# No model server has a use for a person's credentials; the last would open Triton's restricted endpoints.
NOT_FOR_MODELS = ("Authorization", "Cookie", SERVER_KEY_HEADER)

Part = dict[str, Any]


@dataclass(frozen=True)
class Destination:
    """Where requests are sent: Services of the deployment's namespace, with their shares."""

    references: list[Part]
    """The Services as a rule refers to them."""
    hostname: str = ""
    """The host that Knative's gateway tells services apart by; empty: the client's."""
    path: str = ""
    """The one path it answers at; empty: the V2 path that was asked for."""


@dataclass(frozen=True)
class Routing:
    """All that the routes of a deployment say about where requests go."""

    inference: Destination
    """Of inferences that match no preference."""
    other: Destination
    """Of requests about the server and the model that match no preference."""
    preferred: tuple[tuple[Preference, Destination], ...] = ()
    mirror: Part | None = None
    """The filter that copies inferences."""


@dataclass(frozen=True)
class _Path:
    """One open path of the V2 inference protocol."""

    method: str
    path: str
    inference: bool = False


def public_prefix(project: str, deployment: str) -> str:
    """Return the path on the tenant's host under which a deployment's V2 paths lie."""
    return f"/serve/{project}/{deployment}"


def mirror_to(service: str, percent: int) -> Part:
    """Return the filter that sends a copy of some requests to a Service; its answers are thrown away."""
    reference = {"group": "", "kind": "Service", "name": service, "port": PREDICTOR_PORT}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": reference, "percent": percent}}


def services(*weighted: tuple[str, int]) -> list[Part]:
    """Return references to Services with their weights."""
    return [
        {"group": "", "kind": "Service", "name": name, "port": PREDICTOR_PORT, "weight": weight}
        for name, weight in weighted
    ]


def backend(name: str) -> list[Part]:
    """Return the reference to an Envoy Gateway Backend that gets everything."""
    return [{"group": ENVOY_GATEWAY, "kind": "Backend", "name": name, "weight": 1}]


def http_routes(live: LiveDeployment, routing: Routing) -> list[Manifest]:
    """Return the HTTPRoutes of a deployment, with every default that the API server would add.

    They carry the blobs they follow from: no pod restarts when they change.
    """
    paths = _open_paths(live.model)
    size = _paths_per_route(routing)
    shared = _Shared(live)
    chunks = [paths[start : start + size] for start in range(0, len(paths), size)]
    return [
        shared.route(number, [rule for path in chunk for rule in shared.rules(path, routing)])
        for number, chunk in enumerate(chunks, 1)
    ]


def _open_paths(model: str) -> tuple[_Path, ...]:
    """Return the paths that are open; others can load code or show others' data."""
    return (
        _Path("GET", "/v2"),
        _Path("GET", "/v2/health/live"),
        _Path("GET", "/v2/health/ready"),
        _Path("GET", f"/v2/models/{model}"),
        _Path("GET", f"/v2/models/{model}/ready"),
        _Path("POST", f"/v2/models/{model}/infer", inference=True),
    )


def _paths_per_route(routing: Routing) -> int:
    """Return how many paths with all their rules fit one route; checks see to it that one does."""
    rules = 1 + len(routing.preferred)
    matches = 1 + sum(len(preference.matches) for preference, _ in routing.preferred)
    return max(1, min(RULES_PER_ROUTE // rules, MATCHES_PER_ROUTE // matches))


@dataclass
class _Shared:
    """What the rules of one deployment have in common. Equal parts are one object: they are written once."""

    live: LiveDeployment

    def __post_init__(self) -> None:
        self._prefix = public_prefix(self.live.project, self.live.name)
        self._timeouts = {"request": self.live.target.spec.endpoint.timeout}
        self._headers = _headers(self.live)
        self._metadata = _metadata(self.live)

    def route(self, number: int, rules: Sequence[Part]) -> Manifest:
        """Return the deployment's route of that number; the first has the deployment's own name."""
        name = self.live.name if number == 1 else f"{self.live.name}--{number}"
        return {
            "apiVersion": f"{GATEWAY_API}/v1",
            "kind": "HTTPRoute",
            "metadata": {**self._metadata, "name": name},
            "spec": {"hostnames": list(self.live.hostnames), "parentRefs": [_PARENT], "rules": rules},
        }

    def rules(self, path: _Path, routing: Routing) -> Iterator[Part]:
        """Yield the rules of one path: those for what prefers a version come first."""
        match = {"method": path.method, "path": {"type": "Exact", "value": f"{self._prefix}{path.path}"}}
        for preference, destination in routing.preferred:
            matches = [{**match, "headers": [_header(each)]} for each in preference.matches]
            yield self._rule(matches, path, destination)
        mirror = routing.mirror if path.inference else None
        yield self._rule([match], path, routing.inference if path.inference else routing.other, mirror)

    def _rule(self, matches: Sequence[Part], path: _Path, destination: Destination, mirror: Part | None = None) -> Part:
        rewrite: Part = {"path": {"type": "ReplaceFullPath", "replaceFullPath": destination.path or path.path}}
        if destination.hostname:
            rewrite["hostname"] = destination.hostname
        filters = [self._headers, {"type": "URLRewrite", "urlRewrite": rewrite}]
        return {
            "matches": matches,
            "filters": [*filters, mirror] if mirror else filters,
            "backendRefs": destination.references,
            "timeouts": self._timeouts,
        }


def _metadata(live: LiveDeployment) -> Part:
    return {
        "namespace": live.namespace,
        "labels": live.labels,
        "annotations": {
            marks.MODEL: live.model,
            marks.INTENT_BLOB: live.target.blob,
            marks.ROLLOUT_BLOB: live.rollout.blob,
        },
    }


def _headers(live: LiveDeployment) -> Part:
    """Return the filter of request headers: set, never add, or a value the client sent would survive beside ours."""
    trusted = {TENANT_HEADER: live.tenant, PROJECT_HEADER: live.project}
    return {
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {
            "set": [{"name": name, "value": value} for name, value in trusted.items()],
            "remove": list(NOT_FOR_MODELS),
        },
    }


def _header(match: Match) -> Part:
    if match.header is not None:
        return {"type": "Exact", "name": match.header.name, "value": match.header.value}
    assert match.cookie is not None, "a match is a header or a cookie"  # noqa: S101 - for the type checker
    return {
        "type": "RegularExpression",
        "name": "Cookie",
        "value": cookie_pattern(match.cookie.name, match.cookie.value),
    }


def cookie_pattern(name: str, value: str) -> str:
    """Return a pattern, the same in RE2 and Python, for a Cookie header that holds this cookie (RFC 6265, 4.2.1).

    The whole pair must match: not a longer name or value, nor a pair inside another's value.
    """
    return rf"^(?:.*;[ \t]*)?{re.escape(name)}={re.escape(value)}[ \t]*(?:;.*)?$"
