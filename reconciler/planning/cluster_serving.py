"""What a cluster serves of a deployment, and what is in the way: rendered manifests and the cluster's objects in.

Nobody's word is taken for it. KServe's Ready stays True for the old bytes during a change and after a bad one, and
Argo CD's Synced lags by minutes under load; so a version is ready when its Deployment's pods are all of the wanted
source and resources and enough of them are available, and a rollout is applied when its very objects are on the
cluster and Argo CD's last sync was of manifests that say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.planning.cluster_objects import (
    Application,
    ClusterView,
    Key,
    PredictorDeployment,
    Refusal,
    Route,
    key_of,
    weights_of,
)
from reconciler.planning.cluster_words import in_plain_words
from reconciler.planning.manifests import Manifest, deployment_routes
from reconciler.planning.observations import ServerState
from reconciler.planning.serving import Condition, Served, ServedVersion, served_by
from renderers import marks

FAILED_AFTER = timedelta(seconds=10)
"""How long something must be broken before it is called so. Objects pass through broken states for a moment whenever
they change: Argo CD calls an InferenceService Degraded until KServe has first written its status, 1-3 s."""
DRAIN_MARGIN = timedelta(seconds=5)
"""Beyond the longest a request may take: proxies learn of new weights within a second of the route's acceptance."""
SILENT_AFTER = timedelta(seconds=20)
"""Argo CD looks 1.3-1.5 s after it is asked, and within 10 s under load."""

ByPath = Mapping[str, Manifest]
Judged = tuple[Served, tuple[Condition, ...]]


class Spells:
    """Since when things have held without a break."""

    def __init__(self) -> None:
        """Begin with nothing that holds."""
        self._since: dict[Hashable, datetime] = {}

    def lasted(self, what: Hashable, now: datetime, *, holds: bool) -> timedelta:
        """Note whether it holds now; return how long it has."""
        if not holds:
            self._since.pop(what, None)
            return timedelta(0)
        return now - self._since.setdefault(what, now)


@dataclass(frozen=True)
class Delivered:
    """Whether a deployment's manifests are on the cluster as they are rendered, and if not, why."""

    applied: bool
    reason: str
    message: str


@dataclass(frozen=True)
class Rendered:
    """A deployment's manifests at the head of the rendered branch."""

    manifests: ByPath
    folder: str
    head: str
    same_at: Callable[[str], bool]
    """Whether these manifests were the same at a commit of the branch."""

    @property
    def route(self) -> Manifest | None:
        """The HTTPRoute that divides its requests."""
        return next(deployment_routes(self.manifests.values()), None)

    @property
    def services(self) -> Mapping[str, Manifest]:
        """Its InferenceServices by the Service in front of each."""
        found = (each for each in self.manifests.values() if each["kind"] == "InferenceService")
        return {f"{each['metadata']['name']}-predictor": each for each in found}


@dataclass
class ClusterServing:
    """Judges deployments, one look after the other: some things are only known by how long they last."""

    spells: Spells = field(default_factory=Spells)
    _applied: ByPath = field(default_factory=dict)
    """The manifests that were last found applied."""

    def served(self, rendered: Rendered, view: ClusterView, now: datetime) -> Served | None:
        """Return what is served of a deployment; None before its first Rollout."""
        route = rendered.route
        if route is None:
            return None
        there, services = view.routes.get(key_of(route)), rendered.services
        versions = tuple(
            self._version(services[name], weight, there, view, now)
            for name, weight in weights_of(route).items()
            if name in services
        )
        routed = there is not None and there.is_accepted and is_same_route(route, there)
        return served_by(route, versions, routed=routed)

    def _version(
        self, service: Manifest, weight: int, route: Route | None, view: ClusterView, now: datetime
    ) -> ServedVersion:
        annotations, where = service["metadata"]["annotations"], key_of(service)
        state, reason, proof = version_state(service, view)
        uri = service["spec"]["predictor"]["model"]["storageUri"]
        broken = self.spells.lasted(("failed", where, uri), now, holds=state is ServerState.FAILED)
        if state is ServerState.FAILED and broken < FAILED_AFTER:
            state = ServerState.STARTING
        drained = self._is_drained(where, weight, route, now)
        return ServedVersion(
            name=service["metadata"]["labels"][marks.VERSION],
            model=annotations[marks.MODEL_VERSION],
            digest=annotations[marks.MODEL_DIGEST],
            weight=weight,
            state=state,
            reason=reason,
            proof=proof,
            active_requests=0 if weight > 0 or drained else None,
        )

    def _is_drained(self, where: Key, weight: int, route: Route | None, now: datetime) -> bool:
        """Say whether no request can be in flight to a version: it had no weight for longer than one may take."""
        if route is None or not route.is_accepted:
            return False
        is_idle = weight == 0 and not route.weights.get(f"{where[1]}-predictor")
        longest = timedelta(seconds=route.timeout_seconds) + DRAIN_MARGIN
        return self.spells.lasted(("idle", where), now, holds=is_idle) >= longest

    def judged(self, rendered: Rendered, view: ClusterView, now: datetime) -> Judged | None:
        """Return what is served of a deployment, with Applied and Ready; None before its first Rollout."""
        served, route = self.served(rendered, view, now), rendered.route
        if served is None or route is None:
            return None
        there = view.routes.get(key_of(route))
        return served, cluster_conditions(served, self.delivered(rendered, view, now), there.trouble if there else "")

    def delivered(self, rendered: Rendered, view: ClusterView, now: datetime) -> Delivered:
        """Return whether a deployment's manifests are on the cluster, and if not, why."""
        application = view.applications.get(rendered.folder)
        asked = bool(application and application.is_asked)
        silent = self.spells.lasted(("asked", rendered.folder), now, holds=asked)
        if application is None:
            return _no_application(view)
        if own := _own_refusals(application, rendered):
            return Delivered(applied=False, reason="SyncFailed", message="; ".join(own) + _when(application, rendered))
        # A sync that has only begun does not say of which commit it is; what was applied then is applied still.
        has_begun = application.phase == "Running" and not application.synced
        is_known = has_begun and rendered.manifests == self._applied
        if (is_known or _is_synced(application, rendered)) and is_live(rendered, view):
            self._applied = rendered.manifests
            return Delivered(applied=True, reason="Synced", message=_applied_words(application, rendered))
        return _not_yet(application, rendered, silent)


def version_state(service: Manifest, view: ClusterView) -> tuple[ServerState, str, str]:
    """Return where a version stands, why where it is not ready, and by what it is proven where it is.

    FAILED is what waiting does not mend. It may last a moment only: see `FAILED_AFTER`.
    """
    where = key_of(service)
    there, deployment = view.services.get(where), view.deployments.get(where)
    wanted = service["spec"]["predictor"]["model"]["storageUri"]
    if there is None or there.uri != wanted:
        return ServerState.STARTING, "its InferenceService is not on the cluster yet", ""
    if there.is_lost:
        return ServerState.FAILED, f"KServe: {there.trouble}", ""
    if deployment is None:
        return ServerState.STARTING, f"KServe: {there.trouble or 'it has made no Deployment yet'}", ""
    pods = [each for each in view.pods.get(where, ()) if each.source_uri == wanted]
    lost = next((each for each in pods if each.is_lost), None)
    missing = _missing(service, deployment)
    if not missing:
        return ServerState.READY, "", _proof(service, deployment)
    if lost is not None:
        return ServerState.FAILED, lost.reason, ""
    if deployment.is_overdue and not pods:
        return ServerState.FAILED, deployment.trouble or there.trouble or missing, ""
    why = next((each.reason for each in pods), "") or in_plain_words(deployment.trouble or there.trouble)
    return ServerState.STARTING, f"{missing}{': ' if why else ''}{why}", ""


def _missing(service: Manifest, deployment: PredictorDeployment) -> str:
    """Return what the Deployment lacks to be the proof of a version; empty where it is."""
    predictor = service["spec"]["predictor"]
    wanted = predictor["model"]["storageUri"]
    least = max(1, predictor.get("minReplicas", 1))
    if deployment.source_uri != wanted:
        return f"its Deployment still serves {deployment.source_uri or 'nothing'}"
    if not _is_as_asked(predictor, deployment):
        return "its Deployment still has other resources"
    if not deployment.is_observed:
        return "its Deployment is about to change"
    if deployment.updated < deployment.pods:
        return f"{deployment.pods - deployment.updated} of {deployment.pods} pods are of an older template"
    if deployment.available < least:
        return f"{deployment.available} of {least} pods are available"
    return ""


def _is_as_asked(predictor: Mapping[str, Any], deployment: PredictorDeployment) -> bool:
    resources: Mapping[str, Any] = predictor["model"].get("resources", {})
    selector: Mapping[str, str] = predictor.get("nodeSelector", {})
    return resources == deployment.resources and selector.items() <= deployment.node_selector.items()


def _proof(service: Manifest, deployment: PredictorDeployment) -> str:
    where = service["metadata"]["name"]
    uri = deployment.source_uri
    return f"has {deployment.available} of {deployment.pods} pods of {where}-predictor available, all serving {uri},"


def is_same_route(wanted: Manifest, there: Route) -> bool:
    """Say whether the route on the cluster was rendered from the same documents and has the same weights."""
    blobs = (there.intent_blob, there.rollout_blob)
    annotations = wanted["metadata"]["annotations"]
    return (
        blobs == (annotations[marks.INTENT_BLOB], annotations[marks.ROLLOUT_BLOB])
        and weights_of(wanted) == there.weights
    )


def is_live(rendered: Rendered, view: ClusterView) -> bool:
    """Say whether the very objects that a rollout asks for are on the cluster."""
    for each in rendered.manifests.values():
        if each["kind"] == "InferenceService":
            there = view.services.get(key_of(each))
            if there is None or there.digest != each["metadata"]["annotations"][marks.MODEL_DIGEST]:
                return False
    route = rendered.route
    found = view.routes.get(key_of(route)) if route else None
    return route is None or (found is not None and is_same_route(route, found))


def _is_synced(application: Application, rendered: Rendered) -> bool:
    """Say whether Argo CD has applied these manifests: by its last sync, or because it found nothing to apply."""
    return any(commit and rendered.same_at(commit) for commit in (application.synced, application.compared))


def _no_application(view: ClusterView) -> Delivered:
    for each in view.application_sets.values():
        if each.error:
            words = in_plain_words(each.error)
            return Delivered(applied=False, reason="NoApplication", message=f"ApplicationSet {each.name}: {words}")
    return Delivered(applied=False, reason="Syncing", message="Argo CD has not made its Application yet")


def _own_refusals(application: Application, rendered: Rendered) -> list[str]:
    paths = {(each["kind"], *key_of(each)): path for path, each in rendered.manifests.items()}
    found = ((paths.get((each.kind, each.namespace, each.name)), each) for each in application.refused)
    return [f"{path}: {in_plain_words(each.message)}" for path, each in found if path]


def _when(application: Application, rendered: Rendered) -> str:
    """Say that a refusal is of an older rendering, where it is."""
    if rendered.same_at(application.synced):
        return ""
    return f" (that was {application.synced[:12]}; what is rendered now is tried next)"


def _applied_words(application: Application, rendered: Rendered) -> str:
    route = rendered.route
    words = f"rollout {route['metadata']['annotations'][marks.ROLLOUT_BLOB][:12]}" if route else "as rendered"
    own = {(each["kind"], each["metadata"]["name"]) for each in rendered.manifests.values()}
    healed = sorted(own & application.heal.objects) if application.heal else []
    if not healed or application.heal is None:
        return words
    names = ", ".join(f"{kind} {name}" for kind, name in healed)
    return f"{words}; {names} had been changed on the cluster, and was put back at {application.heal.at}"


def _not_yet(application: Application, rendered: Rendered, silent: timedelta) -> Delivered:
    """Say what Argo CD waits for."""
    if application.errors:
        words = "; ".join(in_plain_words(each) for each in application.errors)
        return Delivered(applied=False, reason="ComparisonFailed", message=f"{application.name}: {words}")
    if silent >= SILENT_AFTER:
        # Without the seconds gone by: another message is another event.
        waits = f"for more than {SILENT_AFTER.seconds} s"
        message = f"{application.name} was asked to look at git and has not {waits}: does Argo CD run?"
        return Delivered(applied=False, reason="Silent", message=message)
    if application.phase != "Succeeded" and application.refused:
        message = f"the sync of {rendered.folder} stops at {_others(application.refused)}"
        return Delivered(applied=False, reason="HeldUp", message=message)
    if application.phase in {"Failed", "Error"}:
        words = in_plain_words(application.message)
        return Delivered(applied=False, reason="SyncFailed", message=f"{application.name}: {words}")
    return Delivered(applied=False, reason="Syncing", message=f"{application.name} is not at {rendered.head[:12]} yet")


def _others(refusals: Iterable[Refusal]) -> str:
    words = [f"{each.kind} {each.namespace}/{each.name}: {in_plain_words(each.message)}" for each in refusals]
    return "; ".join(sorted(words))


def cluster_conditions(served: Served, delivered: Delivered, gateway: str = "") -> tuple[Condition, ...]:
    """Return Applied and Ready of a deployment on a cluster; `gateway` is why the gateway refuses its route."""
    blob, rollout = served.intent_blob, f"rollout {served.rollout_blob[:12]}"
    applied = Condition("Applied", delivered.applied, delivered.reason, delivered.message, blob)
    failed = any(item.state is ServerState.FAILED for item in served.versions)
    is_ready = served.ready and delivered.applied
    reason = "Serving" if is_ready else "Failed" if failed else "Starting"
    unrouted = f"the gateway refuses the route: {gateway}" if gateway else "the gateway does not route by it yet"
    waits = [each for each in (served.trouble, "" if served.routed else unrouted) if each]
    ready = Condition("Ready", is_ready, reason, rollout if is_ready else "; ".join(waits) or "not applied yet", blob)
    return applied, ready


def observed_condition(served: Served, away: str) -> Condition:
    """Return Observed: whether the other conditions are of now, or from before the cluster went out of sight."""
    message = f"what is shown is from before: {away}" if away else ""
    reason = "ClusterAway" if away else "Watched"
    return Condition("Observed", status=not away, reason=reason, message=message, observed_blob=served.intent_blob)
