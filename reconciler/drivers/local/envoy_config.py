"""What the edge serves, as Envoy's route configuration and clusters. Pure; the same input gives the same bytes.

Field meanings: Envoy 1.40, `envoy.config.route.v3.RouteConfiguration` and `envoy.config.cluster.v3.Cluster`.
Request paths arrive normalized: the listener sees to that, and takes the trusted headers off every request before
anything is routed. Here they are taken off again and set, never added to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import Any

from reconciler.planning.observations import Backend, EdgeConfig, EdgeRoute, EdgeTenant

ROUTE_CONFIGURATION = "edge"
API_CLUSTER = "api"
Resource = dict[str, Any]

_TYPE = "type.googleapis.com/"
_TRUSTED = ("x-tenant-id", "x-project-id", "x-forwarded-user", "x-forwarded-email", "x-forwarded-groups")
# No model server has a use for a person's credentials; the last would open Triton's restricted endpoints.
_NOT_FOR_MODELS = ("authorization", "cookie", "x-ordain-secret")
# Loopback names reach the API for its health, and for a forge on this machine: tenants have hosts.
_LOOPBACK_NAMES = ("localhost", "127.0.0.1")
_LOOPBACK_PATHS = ({"path": "/healthz"}, {"path": "/readyz"}, {"prefix": "/api/v1/webhooks/"})
# uvicorn closes idle connections after 5 s; a request sent into the closing would fail, so the edge closes first.
_API_IDLE = "4s"
_MODEL_IDLE = "60s"


@dataclass(frozen=True)
class EdgePerson:
    """Whom the demo edge says a request is from; with real authentication the edge takes it from there."""

    user: str
    email: str
    groups: Sequence[str] = ()

    @property
    def headers(self) -> dict[str, str]:
        """The trusted headers that name the person."""
        named = {
            "x-forwarded-user": self.user,
            "x-forwarded-email": self.email,
            "x-forwarded-groups": ",".join(self.groups),
        }
        return {name: value for name, value in named.items() if value}


def discovery(resources: Sequence[Resource]) -> Resource:
    """Return a discovery response of the resources, its version a digest of them."""
    digest = hashlib.sha256(json.dumps(resources, sort_keys=True).encode()).hexdigest()
    return {"version_info": digest[:16], "resources": list(resources)}


def route_resources(config: EdgeConfig, person: EdgePerson) -> list[Resource]:
    """Return the one route configuration: a virtual host for each tenant host, the bare host, and all others."""
    hosts = [
        *(_tenant_host(tenant, name, config.routes, person) for tenant, name in _names(config)),
        _host("bare", [config.base_domain], [*_nothing_served(), _api_route({"prefix": "/"}, person.headers)]),
        _host("loopback", _LOOPBACK_NAMES, [*_loopback_routes(person), _refusal({"prefix": "/"}, _use_a_host(config))]),
        _host("unknown", ["*"], [_refusal({"prefix": "/"}, _use_a_host(config))]),
    ]
    return [
        {
            "@type": _TYPE + "envoy.config.route.v3.RouteConfiguration",
            "name": ROUTE_CONFIGURATION,
            "virtual_hosts": hosts,
            # Routed without the port and passed on with it: a browser's Origin has it, and so must links.
            "ignore_port_in_host_matching": True,
        }
    ]


def cluster_resources(config: EdgeConfig, api_socket: str) -> list[Resource]:
    """Return the API's cluster and one for each server, those without traffic included, by name."""
    addresses = {backend.server: backend.address for route in config.routes for backend in route.backends}
    api = _cluster(API_CLUSTER, {"pipe": {"path": api_socket}}, idle=_API_IDLE)
    return [api, *(_cluster(key, _socket(address), idle=_MODEL_IDLE) for key, address in sorted(addresses.items()))]


def with_clusters_of(before: Iterable[Resource], wanted: Sequence[Resource]) -> list[Resource]:
    """Return the wanted clusters, and those of before that are on their way out."""
    names = {cluster["name"] for cluster in wanted}
    return [*wanted, *(cluster for cluster in before if cluster["name"] not in names)]


def _names(config: EdgeConfig) -> list[tuple[EdgeTenant, str]]:
    return [(tenant, name) for tenant in config.tenants for name in tenant.hostnames]


def _tenant_host(tenant: EdgeTenant, name: str, routes: Sequence[EdgeRoute], person: EdgePerson) -> Resource:
    served = [rule for route in routes if route.hostname == name for rule in _deployment_routes(route)]
    api = _api_route({"prefix": "/"}, {"x-tenant-id": tenant.tenant, **person.headers})
    return _host(name, [name], [*served, *_nothing_served(), api])


def _host(name: str, domains: Sequence[str], routes: Sequence[Resource]) -> Resource:
    return {"name": name, "domains": list(domains), "routes": list(routes)}


def _deployment_routes(route: EdgeRoute) -> list[Resource]:
    """Return one route for each public V2 path; whatever else the server answers stays behind the edge."""
    model = f"/v2/models/{route.model}"
    paths = {
        "/v2": HTTPMethod.GET,
        "/v2/health/live": HTTPMethod.GET,
        "/v2/health/ready": HTTPMethod.GET,
        model: HTTPMethod.GET,
        f"{model}/ready": HTTPMethod.GET,
        f"{model}/infer": HTTPMethod.POST,
    }
    return [_model_route(route, path, method) for path, method in paths.items()]


def _model_route(route: EdgeRoute, path: str, method: HTTPMethod) -> Resource:
    match = {
        "path": f"/serve/{route.project}/{route.deployment}{path}",
        "headers": [{"name": ":method", "string_match": {"exact": method.value}}],
    }
    taking = [backend for backend in route.backends if backend.weight > 0]
    if not taking:
        detail = f"No version of {route.project}/{route.deployment} takes traffic yet: see its conditions."
        return _refusal(match, detail, HTTPStatus.SERVICE_UNAVAILABLE)
    action = {
        **_destination(taking),
        "prefix_rewrite": path,
        "timeout": f"{route.timeout_seconds:.3f}s",
        "retry_policy": _retries(2, "0.025s"),
    }
    headers = {"x-tenant-id": route.tenant, "x-project-id": route.project}
    return {"match": match, "route": action, **_set_headers(headers, also_remove=_NOT_FOR_MODELS)}


def _destination(backends: Sequence[Backend]) -> Resource:
    if len(backends) == 1:
        return {"cluster": backends[0].server}
    return {"weighted_clusters": {"clusters": [{"name": each.server, "weight": each.weight} for each in backends]}}


def _api_route(match: Mapping[str, str], headers: dict[str, str]) -> Resource:
    """Return a route to the API. No time-out, for streams of events; a restarting API is waited for, briefly."""
    action = {"cluster": API_CLUSTER, "timeout": "0s", "retry_policy": _retries(6, "0.1s")}
    return {"match": match, "route": action, **_set_headers(headers)}


def _loopback_routes(person: EdgePerson) -> list[Resource]:
    return [_api_route(match, person.headers) for match in _LOOPBACK_PATHS]


def _retries(times: int, first_wait: str) -> Resource:
    """Return a policy that repeats only what no server has begun to read, so it is safe for every method."""
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": times,
        "retry_back_off": {"base_interval": first_wait, "max_interval": "1s"},
    }


def _set_headers(headers: dict[str, str], also_remove: Sequence[str] = ()) -> Resource:
    """Return a route's header changes: the given ones as they are here, all other trusted ones gone."""
    return {
        "request_headers_to_remove": [*(name for name in _TRUSTED if name not in headers), *also_remove],
        "request_headers_to_add": [
            {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for name, value in headers.items()
        ],
    }


def _nothing_served() -> list[Resource]:
    detail = (
        "Nothing is served at this path and method. A deployment answers GET on "
        "/serve/<project>/<deployment>/v2, /v2/health/live, /v2/health/ready, /v2/models/<model> and its /ready, "
        "and POST on /v2/models/<model>/infer."
    )
    return [_refusal({"path_separated_prefix": "/serve"}, detail)]


def _use_a_host(config: EdgeConfig) -> str:
    return f"No such host here. Tenants are at <tenant>.{config.base_domain}; {config.base_domain} lists them."


def _refusal(match: Resource, detail: str, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> Resource:
    """Return a route that Envoy answers itself, as problem+json (RFC 9457)."""
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    content_type = {"key": "content-type", "value": "application/problem+json"}
    return {
        "match": match,
        "direct_response": {"status": status.value, "body": {"inline_string": json.dumps(problem)}},
        "response_headers_to_add": [{"header": content_type, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }


def _cluster(name: str, address: Resource, idle: str) -> Resource:
    endpoint = {"endpoint": {"address": address}}
    return {
        "@type": _TYPE + "envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": idle},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _socket(address: str) -> Resource:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
