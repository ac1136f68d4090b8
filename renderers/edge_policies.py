"""Who may come in at the edge, and how much: SecurityPolicies and BackendTrafficPolicies of Envoy Gateway.

With `auth.mode: jwt` the tenants' and the bare host refuse everything by default; each route brings the policy that
opens it, so a route whose policy is not there yet stays closed. With `passthrough` the proxy in front decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from intents.identity import namespace
from intents.kinds.model_deployment import Access
from intents.kinds.platform import Jwt
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.edge import BASE, PERSON_HEADERS, TENANTS, tenant_route
from renderers.site import ENVOY_GATEWAY, GATEWAY, GATEWAY_API, at_edge
from renderers.unit import Unit

API_REQUESTS_PER_SECOND = 200
"""Of one tenant, at each proxy of the edge: no tenant's scripts use up the API of the others."""

_PROVIDER = "ordain"
_ALLOW, _DENY = {"defaultAction": "Allow"}, {"defaultAction": "Deny"}


def render_edge_policies(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield what closes the edge of a cluster, and what opens its bare host to everyone signed in."""
    jwt = tree.platform.auth.jwt
    if jwt is None:
        return
    closed = [_target("Gateway", GATEWAY, listener) for listener in (TENANTS, BASE)]
    yield at_edge(
        unit, *_SECURITY, "closed", spec={"targetRefs": closed, **_authentication(jwt), "authorization": _DENY}
    )
    opened = {"targetRefs": [_target("HTTPRoute", BASE)], **_authentication(jwt, named=True)}
    yield at_edge(unit, *_SECURITY, BASE, spec=opened)


def render_tenant_policies(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield who may use a tenant's hosts, and how many requests the API takes for it."""
    name, jwt = tenant_route(unit.tenant), tree.platform.auth.jwt
    target = {"targetRefs": [_target("HTTPRoute", name)]}
    yield at_edge(unit, *_TRAFFIC, name, spec={**target, "rateLimit": _at_most(API_REQUESTS_PER_SECOND)})
    if jwt is not None:
        members = {"authorization": _members(jwt, unit.tenant)}
        yield at_edge(unit, *_SECURITY, name, spec={**target, **_authentication(jwt, named=True), **members})


def render_deployment_policies(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield who may send inferences to a deployment, and how many; nothing before its route is there."""
    where = (unit.tenant, unit.project, unit.name)
    target = tree.deployment(*where)
    if target is None or tree.rollout(*where) is None:
        return
    endpoint, jwt = target.spec.endpoint, tree.platform.auth.jwt
    # By label: what one route cannot hold goes on in another.
    mine = {"group": GATEWAY_API, "kind": "HTTPRoute", "matchLabels": {marks.DEPLOYMENT: unit.name}}
    routes = {"targetSelectors": [mine]}
    if endpoint.rate_limit is not None:
        limit = _at_most(endpoint.rate_limit.requests_per_second)
        yield _of_deployment(unit, *_TRAFFIC, spec={**routes, "rateLimit": limit})
    if jwt is not None:
        yield _of_deployment(unit, *_SECURITY, spec={**routes, **_access(jwt, endpoint.access, unit.tenant)})


_SECURITY = (f"{ENVOY_GATEWAY}/v1alpha1", "SecurityPolicy")
_TRAFFIC = (f"{ENVOY_GATEWAY}/v1alpha1", "BackendTrafficPolicy")


def _access(jwt: Jwt, access: Access, tenant: str) -> Manifest:
    match access:
        case Access.PUBLIC:
            return {"authorization": _ALLOW}
        case Access.PLATFORM:
            return _authentication(jwt)
        case Access.TENANT:
            return {**_authentication(jwt), "authorization": _members(jwt, tenant)}


def _authentication(jwt: Jwt, *, named: bool = False) -> Manifest:
    """Return the check of a token; `named` tells the API whose it is.

    Envoy copies claims of text, numbers and booleans only: groups reach the API where their claim is a text.
    """
    provider: Manifest = {
        "name": _PROVIDER,
        "issuer": jwt.issuer,
        "audiences": [jwt.audience],
        "remoteJWKS": {"uri": jwt.jwks_uri, "cacheDuration": "300s"},
    }
    if named:
        claims = (jwt.user_claim, "email", jwt.groups_claim)
        pairs = zip(claims, PERSON_HEADERS, strict=True)
        provider["claimToHeaders"] = [{"claim": claim, "header": header} for claim, header in pairs]
    return {"jwt": {"providers": [provider]}}


def _members(jwt: Jwt, tenant: str) -> Manifest:
    """Return the rule that a token's tenant claim is the tenant, or has it in its list."""
    return {**_DENY, "rules": [_claims(jwt, tenant, each) for each in ("String", "StringArray")]}


def _claims(jwt: Jwt, tenant: str, value_type: str) -> Manifest:
    claim = {"name": jwt.tenant_claim, "valueType": value_type, "values": [tenant]}
    return {"action": "Allow", "principal": {"jwt": {"provider": _PROVIDER, "claims": [claim]}}}


def _at_most(requests_per_second: int) -> Manifest:
    """Return a limit that each proxy of the edge holds by itself, for each path: a shared one needs a store."""
    limit = {"requests": requests_per_second, "unit": "Second"}
    return {"type": "Local", "local": {"rules": [{"limit": limit}]}}


def _target(kind: str, name: str, section: str = "") -> Manifest:
    return {"group": GATEWAY_API, "kind": kind, "name": name, **({"sectionName": section} if section else {})}


def _of_deployment(unit: Unit, api_version: str, kind: str, spec: Manifest) -> Manifest:
    labels = {marks.TENANT: unit.tenant, marks.PROJECT: unit.project, marks.DEPLOYMENT: unit.name}
    metadata = {"name": unit.name, "namespace": namespace(unit.tenant, unit.project), "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
