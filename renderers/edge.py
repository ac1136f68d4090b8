"""Cluster and tenants → the edge: one Gateway, what it makes of requests, and the routes to the API.

Deployments bring routes of their own (`renderers.gateway`), attached to the same Gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from intents.kinds.platform import AuthMode
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.namespace import pod_security_labels
from renderers.site import (
    API_PORT,
    API_SERVICE,
    CONTROL_NAMESPACE,
    EDGE_NAMESPACE,
    ENVOY_GATEWAY,
    GATEWAY,
    GATEWAY_API,
    PROJECT_HEADER,
    SERVER_KEY_HEADER,
    TENANT_HEADER,
    at_edge,
    hosts_of,
    site_of,
)
from renderers.unit import Unit

CONTROLLER = f"{ENVOY_GATEWAY}/gatewayclass-controller"
CERTIFICATE = "ordain-edge-tls"
"""The Secret beside the Gateway with the certificate of `<base domain>` and `*.<base domain>`."""

TENANTS, BASE, PLAIN = "tenants", "base", "plain"
"""The Gateway's listeners: the tenants' hosts, the bare host, and port 80, which only sends people to HTTPS."""

SCOPE_HEADERS = (TENANT_HEADER, PROJECT_HEADER)
PERSON_HEADERS = ("X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups")

HEADERS_TIMEOUT = "10s"
REQUEST_TIMEOUT = "60s"
"""For the whole of a request to arrive: slow senders do not hold connections."""


def render_edge(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield what the edge of a cluster needs once."""
    domain, site = tree.platform.base_domain, site_of(tree, unit)
    yield from (_namespace(name) for name in (EDGE_NAMESPACE, CONTROL_NAMESPACE))
    yield {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "GatewayClass",
        "metadata": {"name": site.gateway.class_},
        "spec": {"controllerName": CONTROLLER},
    }
    yield _gateway(unit, site.gateway.class_, domain)
    yield _client_traffic(unit, tree.platform.auth.mode)
    yield _route(unit, BASE, BASE, [domain], [_api_rule({"remove": list(SCOPE_HEADERS)})])
    yield _route(unit, "to-https", PLAIN, [f"*.{domain}", domain], [_to_https()])
    yield _grant()


def render_tenant_host(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the route of a tenant's hosts to the API and the panel.

    It names no project: one that it set would refuse every other `?project=`.
    """
    # set, never add: a value the client sent must not survive beside ours.
    headers = {"set": [{"name": TENANT_HEADER, "value": unit.tenant}], "remove": [PROJECT_HEADER]}
    yield _route(unit, tenant_route(unit.tenant), TENANTS, hosts_of(tree, unit), [_api_rule(headers)])


def tenant_route(tenant: str) -> str:
    """Return the name of the route and policies of a tenant's hosts; no route of the platform's own has it."""
    return f"tenant-{tenant}"


def _namespace(name: str) -> Manifest:
    labels = {"kubernetes.io/metadata.name": name, **pod_security_labels("restricted")}
    if name == EDGE_NAMESPACE:
        labels[marks.ROUTES] = TENANTS
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _gateway(unit: Unit, class_: str, domain: str) -> Manifest:
    tenants = {"from": "Selector", "selector": {"matchLabels": {marks.ROUTES: TENANTS}}}
    plain = {"name": PLAIN, "port": 80, "protocol": "HTTP", "allowedRoutes": _routes({"from": "Same"})}
    listeners = [_https(TENANTS, f"*.{domain}", tenants), _https(BASE, domain, {"from": "Same"}), plain]
    spec = {"gatewayClassName": class_, "listeners": listeners}
    return at_edge(unit, f"{GATEWAY_API}/v1", "Gateway", GATEWAY, spec=spec)


def _https(name: str, hostname: str, namespaces: Manifest) -> Manifest:
    return {
        "name": name,
        "hostname": hostname,
        "port": 443,
        "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": CERTIFICATE}]},
        "allowedRoutes": _routes(namespaces),
    }


def _routes(namespaces: Manifest) -> Manifest:
    return {"kinds": [{"group": GATEWAY_API, "kind": "HTTPRoute"}], "namespaces": namespaces}


def _client_traffic(unit: Unit, mode: AuthMode) -> Manifest:
    """Return what is done to every request before anything looks at it.

    The trusted headers go first: the edge sets its own, and Envoy's `claim_to_headers` would append to a client's. With
    `passthrough` the person's headers are the word of the proxy in front.
    """
    stripped = [*SCOPE_HEADERS, SERVER_KEY_HEADER, *(PERSON_HEADERS if mode is AuthMode.JWT else ())]
    spec = {
        "targetRefs": [{"group": GATEWAY_API, "kind": "Gateway", "name": GATEWAY}],
        "headers": {
            "earlyRequestHeaders": {"remove": stripped},
            # Some servers read X_Tenant_Id and X-Tenant-Id as one.
            "withUnderscoresAction": "RejectRequest",
        },
        # Envoy Gateway normalizes paths always; no path may mean one thing here and another behind.
        "path": {"disableMergeSlashes": False, "escapedSlashesAction": "RejectRequest"},
        "timeout": {
            "http": {"requestHeadersReceivedTimeout": HEADERS_TIMEOUT, "requestReceivedTimeout": REQUEST_TIMEOUT}
        },
    }
    return at_edge(unit, f"{ENVOY_GATEWAY}/v1alpha1", "ClientTrafficPolicy", GATEWAY, spec=spec)


def _route(unit: Unit, name: str, listener: str, hostnames: Sequence[str], rules: Sequence[Manifest]) -> Manifest:
    parent = {
        "group": GATEWAY_API,
        "kind": "Gateway",
        "name": GATEWAY,
        "namespace": EDGE_NAMESPACE,
        "sectionName": listener,
    }
    spec = {"hostnames": list(hostnames), "parentRefs": [parent], "rules": list(rules)}
    return at_edge(unit, f"{GATEWAY_API}/v1", "HTTPRoute", name, spec=spec)


def _api_rule(headers: Manifest) -> Manifest:
    """Return a rule that sends every path to the API, without a time-out: it streams events."""
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": headers}],
        "backendRefs": [
            {
                "group": "",
                "kind": "Service",
                "name": API_SERVICE,
                "namespace": CONTROL_NAMESPACE,
                "port": API_PORT,
                "weight": 1,
            }
        ],
        "timeouts": {"request": "0s"},
    }


def _to_https() -> Manifest:
    redirect = {"scheme": "https", "statusCode": 301}
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}],
    }


def _grant() -> Manifest:
    """Return the word of the control plane's namespace that routes of the edge may lead to the API, and to it alone."""
    return {
        # Every release of the Gateway API serves it; v1 came with 1.5.
        "apiVersion": f"{GATEWAY_API}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "edge-to-api", "namespace": CONTROL_NAMESPACE},
        "spec": {
            "from": [{"group": GATEWAY_API, "kind": "HTTPRoute", "namespace": EDGE_NAMESPACE}],
            "to": [{"group": "", "kind": "Service", "name": API_SERVICE}],
        },
    }
