"""What to do about servers and routes on one machine: rendered manifests and observations in, actions out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from intents.documents import of_spec
from intents.kinds import Kind, TenantSpec
from intents.tree import Tree
from reconciler.planning.manifests import Manifest, deployment_routes, server_spec, weighted_rule
from reconciler.planning.observations import (
    EdgeConfig,
    EdgeRoute,
    EdgeTenant,
    ServerObservation,
    ServerSpec,
    ServerState,
)
from renderers import marks


@dataclass(frozen=True)
class Start:
    """Begin to serve a version."""

    spec: ServerSpec


@dataclass(frozen=True)
class Publish:
    """Route by this configuration."""

    config: EdgeConfig


@dataclass(frozen=True)
class Stop:
    """End a server that nothing is routed to any more."""

    key: str


ServingAction = Start | Publish | Stop


def plan_serving(
    wanted: Collection[ServerSpec],
    config: EdgeConfig,
    published: EdgeConfig | None,
    seen: Sequence[ServerObservation],
) -> tuple[ServingAction, ...]:
    """Return every action from what is there to what is wanted, in the order to take them.

    Starting comes before the one replacement of routes. Stopping comes after it, and only once the edge
    has no request in flight to the server: a stop cuts off what it finds. A server that ended by itself
    and is starting again is among `seen`.
    """
    alive = {server.key for server in seen}
    drained = {server.key for server in seen if server.active_requests == 0}
    keep = {spec.key for spec in wanted}
    starts = tuple(Start(spec) for spec in wanted if spec.key not in alive)
    publishes = (Publish(config),) if config != published else ()
    stops = () if publishes else tuple(Stop(key) for key in sorted(drained - keep))
    return starts + publishes + stops


@dataclass(frozen=True)
class ServedVersion:
    """One live version of a deployment as the cluster serves it."""

    name: str
    model: str
    digest: str
    weight: int
    state: ServerState
    reason: str = ""
    address: str = ""
    active_requests: int | None = 0
    """Of a version without traffic: requests still in flight; None while nobody knows."""
    proof: str = ""
    """Of a version that is READY: what shows it, as it follows the version's name in a sentence."""


@dataclass(frozen=True)
class Served:
    """What one cluster serves of a deployment, and the documents it was rendered from."""

    tenant: str
    project: str
    deployment: str
    intent_blob: str
    rollout_blob: str
    versions: tuple[ServedVersion, ...]
    routed: bool
    """The edge routes by exactly these weights."""

    def version(self, name: str) -> ServedVersion | None:
        """Return the live version of that name."""
        return next((version for version in self.versions if version.name == name), None)

    @property
    def ready(self) -> bool:
        """Whether every version that takes traffic answers, and the traffic goes there."""
        taking = [version for version in self.versions if version.weight > 0]
        return self.routed and bool(taking) and all(item.state is ServerState.READY for item in taking)

    @property
    def trouble(self) -> str:
        """Why it is not ready, for a person; empty where there is nothing to say."""
        reasons = (
            f"{item.name}: {item.reason or item.state.value}"
            for item in self.versions
            if item.state is not ServerState.READY
        )
        return "; ".join(reasons)


@dataclass(frozen=True)
class Condition:
    """One fact about an intent, with the blob it was observed for."""

    type: str
    status: bool
    reason: str
    message: str
    observed_blob: str


def conditions_of(served: Served) -> tuple[Condition, ...]:
    """Return Applied and Ready as they follow from what is served; where all is well, they name the rollout.

    A condition that changed is an event, so that each step of a rollout says when it was applied and ready.
    """
    rollout = f"rollout {served.rollout_blob[:12]}"
    applied = Condition(
        "Applied",
        served.routed,
        "Routed" if served.routed else "Pending",
        rollout if served.routed else "the edge does not route by this rollout yet",
        served.intent_blob,
    )
    failed = any(item.state is ServerState.FAILED for item in served.versions)
    reason = "Serving" if served.ready else "Failed" if failed else "Starting"
    ready = Condition("Ready", served.ready, reason, served.trouble or rollout, served.intent_blob)
    return applied, ready


def edge_config(tree: Tree, routes: Sequence[EdgeRoute]) -> EdgeConfig:
    """Return everything the edge of one machine serves: the tenants' hosts and the deployments' routes."""
    base = tree.platform.base_domain
    tenants = (of_spec(document, TenantSpec) for document in tree.of_kind(Kind.TENANT).values())
    hosts = (
        EdgeTenant(
            each.identity.name,
            each.spec.default_project,
            tuple(f"{label}.{base}" for label in each.spec.hostnames),
        )
        for each in tenants
        if each is not None
    )
    return EdgeConfig(base, tuple(sorted(hosts, key=lambda each: each.tenant)), tuple(routes))


def served_of(
    manifests: Sequence[Manifest], seen: Mapping[str, ServerObservation], routed: Collection[str]
) -> tuple[Served, ...]:
    """Return what is served of each rendered deployment.

    `seen` is by server key; `routed` holds the keys of the servers that the edge knows by now.
    """
    services = {
        (each["metadata"]["namespace"], f"{each['metadata']['name']}-predictor"): each
        for each in manifests
        if each["kind"] == "InferenceService"
    }
    return tuple(_served(route, services, seen, routed) for route in deployment_routes(manifests))


def _served(
    route: Manifest,
    services: Mapping[tuple[str, str], Manifest],
    seen: Mapping[str, ServerObservation],
    routed: Collection[str],
) -> Served:
    namespace, references = route["metadata"]["namespace"], weighted_rule(route)["backendRefs"]
    rendered = [(services[namespace, each["name"]], each["weight"]) for each in references]
    versions = tuple(_served_version(service, weight, seen) for service, weight in rendered)
    taking = [server_spec(service).key for service, weight in rendered if weight > 0]
    return served_by(route, versions, routed=all(key in routed for key in taking))


def served_by(route: Manifest, versions: tuple[ServedVersion, ...], *, routed: bool) -> Served:
    """Return what is served of the deployment that a rendered HTTPRoute is of, by the marks that it carries."""
    labels, annotations = route["metadata"]["labels"], route["metadata"]["annotations"]
    return Served(
        tenant=labels[marks.TENANT],
        project=labels[marks.PROJECT],
        deployment=labels[marks.DEPLOYMENT],
        intent_blob=annotations[marks.INTENT_BLOB],
        rollout_blob=annotations[marks.ROLLOUT_BLOB],
        versions=versions,
        routed=routed,
    )


def _served_version(service: Manifest, weight: int, seen: Mapping[str, ServerObservation]) -> ServedVersion:
    server = seen.get(server_spec(service).key)
    annotations = service["metadata"]["annotations"]
    return ServedVersion(
        name=service["metadata"]["labels"][marks.VERSION],
        model=annotations[marks.MODEL_VERSION],
        digest=annotations[marks.MODEL_DIGEST],
        weight=weight,
        state=server.state if server else ServerState.STARTING,
        reason=server.reason if server else "",
        address=server.address if server else "",
        proof=f"answered an inference at {server.address}" if server and server.state is ServerState.READY else "",
        # Of a version that takes traffic the number means nothing for the rollout, and changes all the time.
        active_requests=server.active_requests if server and weight == 0 else 0,
    )


def addresses_of(seen: Iterable[ServerObservation]) -> Mapping[str, str]:
    """Return the address of every server that has one, by its key."""
    return {server.key: server.address for server in seen if server.address}
