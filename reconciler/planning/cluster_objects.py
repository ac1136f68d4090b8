"""What of a cluster's objects says whether rendered manifests are real: each kind reduced to the little that matters.

Shapes are those of Argo CD 3.6 (argoproj.io/v1alpha1), KServe 0.20 (serving.kserve.io/v1beta1), Kubernetes 1.36
(apps/v1, v1) and Gateway API v1. What is absent reads as empty: controllers write status field by field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from intents.quantities import duration_seconds
from reconciler.planning.manifests import weighted_rule
from renderers import marks

Object = Mapping[str, Any]
"""An object as the API server gives it."""
Key = tuple[str, str]
"""Namespace and name."""

REFRESH = "argocd.argoproj.io/refresh"
"""On an Application: look at git now. Argo CD takes it off when it has looked."""
SOURCE_URI = "internal.serving.kserve.io/storage-initializer-sourceuri"
"""On a Deployment's pod template: where KServe fetches the model from."""
SERVER_CONTAINER = "kserve-container"
SERVICE_LABEL = "serving.kserve.io/inferenceservice"
_NO_TIMEOUT = "1m"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def key_of(raw: Object) -> Key:
    """Return an object's namespace and name."""
    return raw["metadata"].get("namespace", ""), raw["metadata"]["name"]


@dataclass(frozen=True)
class Refusal:
    """A manifest that Argo CD could not apply."""

    kind: str
    namespace: str
    name: str
    message: str


@dataclass(frozen=True)
class Heal:
    """A sync by which Argo CD undid what somebody changed on the cluster."""

    objects: frozenset[tuple[str, str]]
    """Kinds and names."""
    at: str
    """RFC 3339."""


@dataclass(frozen=True)
class Application:
    """What Argo CD says of one folder of the rendered branch."""

    name: str
    folder: str
    is_asked: bool = False
    """It was asked to look at git, and has not yet."""
    is_going: bool = False
    """It is being deleted, with all that it applied."""
    synced: str = ""
    """The commit of the last sync, however that ended: `operationState.syncResult.revision`."""
    phase: str = ""
    """Of that sync: Running, Succeeded, Failed, Error; Running also between its retries."""
    message: str = ""
    refused: tuple[Refusal, ...] = ()
    compared: str = ""
    """The commit that the cluster was last found equal to; empty where it differs or nobody knows."""
    errors: tuple[str, ...] = ()
    """Why Argo CD cannot tell what is wanted, such as a repository that cannot be read."""
    heal: Heal | None = None


def application_of(raw: Object) -> Application:
    """Reduce an Application."""
    status = raw.get("status", {})
    operation, comparison = status.get("operationState", {}), status.get("sync", {})
    result, revision = operation.get("syncResult", {}), comparison.get("revision", "")
    conditions = status.get("conditions") or ()
    return Application(
        name=raw["metadata"]["name"],
        folder=raw["spec"].get("source", {}).get("path", ""),
        is_asked=REFRESH in raw["metadata"].get("annotations", {}),
        is_going="deletionTimestamp" in raw["metadata"],
        synced=_commit(result.get("revision", "")),
        phase=operation.get("phase", ""),
        message=operation.get("message", ""),
        refused=tuple(_refusals(result)),
        compared=_commit(revision) if comparison.get("status") == "Synced" else "",
        errors=tuple(each["message"] for each in conditions if each["type"].endswith("Error")),
        heal=_heal(operation),
    )


def _commit(revision: str) -> str:
    """Return a revision that is a commit; where Argo CD has not read the repository yet, it is a ref's name."""
    return revision if _COMMIT.fullmatch(revision) else ""


def _refusals(result: Object) -> Iterator[Refusal]:
    for each in result.get("resources") or ():
        if each.get("status") == "SyncFailed" or each.get("hookPhase") in {"Failed", "Error"}:
            yield Refusal(each["kind"], each.get("namespace", ""), each["name"], each.get("message", ""))


def _heal(operation: Object) -> Heal | None:
    sync = operation.get("operation", {}).get("sync") or {}
    if not sync.get("autoHealAttemptsCount") or operation.get("phase") != "Succeeded":
        return None
    objects = frozenset((each["kind"], each["name"]) for each in sync.get("resources") or ())
    return Heal(objects, operation.get("finishedAt", ""))


@dataclass(frozen=True)
class ApplicationSet:
    """What makes the Applications of a cluster."""

    name: str
    error: str = ""
    """Why it makes none."""


def application_set_of(raw: Object) -> ApplicationSet:
    """Reduce an ApplicationSet."""
    failed = _condition(raw, "ErrorOccurred")
    is_failed = failed.get("status") == "True"
    return ApplicationSet(raw["metadata"]["name"], failed.get("message", "") if is_failed else "")


@dataclass(frozen=True)
class InferenceService:
    """What KServe says of one served version."""

    namespace: str
    name: str
    digest: str = ""
    uri: str = ""
    trouble: str = ""
    """What KServe says is in the way of its pods, in its own words."""
    is_lost: bool = False
    """KServe has given up until somebody changes something: the spec is invalid, or the model does not load."""


def inference_service_of(raw: Object) -> InferenceService:
    """Reduce an InferenceService."""
    model = raw.get("status", {}).get("modelStatus", {})
    failure = model.get("lastFailureInfo") or {}
    is_lost = model.get("transitionStatus") in {"BlockedByFailedLoad", "InvalidSpec"}
    predictor = _condition(raw, "PredictorReady")
    words = predictor.get("message") or predictor.get("reason", "") if predictor.get("status") == "False" else ""
    namespace, name = key_of(raw)
    return InferenceService(
        namespace,
        name,
        raw["metadata"].get("annotations", {}).get(marks.MODEL_DIGEST, ""),
        raw["spec"]["predictor"].get("model", {}).get("storageUri", ""),
        (failure.get("message") or failure.get("reason") or words) if is_lost else words,
        is_lost,
    )


@dataclass(frozen=True)
class PredictorDeployment:
    """The Deployment that KServe made of an InferenceService."""

    namespace: str
    service: str
    """The InferenceService's name."""
    source_uri: str
    """Where its pods fetch the model from; of the template, so of those to come."""
    resources: Mapping[str, Any]
    node_selector: Mapping[str, str]
    is_observed: bool
    """Its numbers are of its newest spec."""
    pods: int
    updated: int
    """Of the newest template."""
    available: int
    trouble: str = ""
    """Why pods cannot be made."""
    is_overdue: bool = False
    """No pod has come for longer than its deadline."""


def predictor_deployment_of(raw: Object) -> PredictorDeployment:
    """Reduce a Deployment."""
    template, status = raw["spec"]["template"], raw.get("status", {})
    containers = template["spec"].get("containers", ())
    server: Object = next((each for each in containers if each["name"] == SERVER_CONTAINER), {})
    failure, progress = _condition(raw, "ReplicaFailure"), _condition(raw, "Progressing")
    is_overdue = progress.get("reason") == "ProgressDeadlineExceeded"
    return PredictorDeployment(
        namespace=raw["metadata"]["namespace"],
        service=raw["metadata"].get("labels", {}).get(SERVICE_LABEL, ""),
        source_uri=template["metadata"].get("annotations", {}).get(SOURCE_URI, ""),
        resources=server.get("resources", {}),
        node_selector=template["spec"].get("nodeSelector", {}),
        is_observed=status.get("observedGeneration", 0) >= raw["metadata"]["generation"],
        pods=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        trouble=failure.get("message", "") if failure.get("status") == "True" else "",
        is_overdue=is_overdue,
    )


@dataclass(frozen=True)
class Route:
    """An HTTPRoute as the gateway has it."""

    namespace: str
    name: str
    intent_blob: str
    rollout_blob: str
    weights: Mapping[str, int]
    """By Service; of the rule that divides requests by weight."""
    timeout_seconds: float
    """The longest a request may take."""
    is_accepted: bool
    """Every gateway it names has taken this very spec, and knows its Services."""
    trouble: str = ""


def route_of(raw: Object) -> Route:
    """Reduce an HTTPRoute."""
    annotations = raw["metadata"].get("annotations", {})
    parents = raw.get("status", {}).get("parents") or ()
    spoken = [each for parent in parents for each in parent.get("conditions", ())]
    newest = [each for each in spoken if each.get("observedGeneration", 0) >= raw["metadata"]["generation"]]
    refused = [each.get("message", "") or each["reason"] for each in newest if _is_refusal(each)]
    accepted = [each for each in newest if each["type"] == "Accepted"]
    wanted = len(raw["spec"].get("parentRefs", ()))
    return Route(
        *key_of(raw),
        annotations.get(marks.INTENT_BLOB, ""),
        annotations.get(marks.ROLLOUT_BLOB, ""),
        weights_of(raw),
        float(duration_seconds(weighted_rule(raw).get("timeouts", {}).get("request", _NO_TIMEOUT))),
        is_accepted=len(accepted) >= wanted > 0 and not refused,
        trouble="; ".join(refused),
    )


def _is_refusal(condition: Object) -> bool:
    return condition["type"] in {"Accepted", "ResolvedRefs"} and condition["status"] == "False"


def weights_of(route: Object) -> dict[str, int]:
    """Return the weights of a route by Service."""
    return {each["name"]: each.get("weight", 1) for each in weighted_rule(route).get("backendRefs", ())}


@dataclass(frozen=True)
class PodTrouble:
    """A pod that something keeps from serving."""

    namespace: str
    service: str
    """The InferenceService's name."""
    source_uri: str
    reason: str
    is_lost: bool
    """It will not come by waiting: its image or its model cannot be had, or it ends again and again."""


_LOST = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Why the kubelet lets a container wait, where waiting does not help."""


def pod_trouble_of(raw: Object) -> PodTrouble | None:
    """Return what keeps a pod from serving; None where nothing does, or it is on its way."""
    metadata, status = raw["metadata"], raw.get("status", {})
    if "deletionTimestamp" in metadata:
        return None
    scheduled = _condition(raw, "PodScheduled")
    waits = [each for each in _containers(status) if each[1]]
    if scheduled.get("status") == "False":
        reason, is_lost = f"Pending: {scheduled.get('message') or scheduled.get('reason', '')}", False
    elif waits:
        name, word, message = waits[0]
        reason, is_lost = f"{name}: {word}{': ' if message else ''}{message}", True
    else:
        return None
    return PodTrouble(
        metadata["namespace"],
        metadata.get("labels", {}).get(SERVICE_LABEL, ""),
        metadata.get("annotations", {}).get(SOURCE_URI, ""),
        reason,
        is_lost,
    )


def _containers(status: Object) -> Iterator[tuple[str, str, str]]:
    """Yield each container's name, why it waits where that does not help, and what is said of it."""
    for field_name in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(field_name) or ():
            waiting = each.get("state", {}).get("waiting", {})
            reason = waiting.get("reason", "")
            ended = each.get("lastState", {}).get("terminated", {})
            yield (
                each["name"],
                reason if reason in _LOST else "",
                ended.get("message", "").strip() or waiting.get("message", ""),
            )


@dataclass(frozen=True)
class ClusterView:
    """Everything that is watched of a cluster, as it was last told."""

    applications: Mapping[str, Application] = field(default_factory=lambda: MappingProxyType({}))
    """By folder."""
    application_sets: Mapping[str, ApplicationSet] = field(default_factory=lambda: MappingProxyType({}))
    """By name."""
    services: Mapping[Key, InferenceService] = field(default_factory=lambda: MappingProxyType({}))
    deployments: Mapping[Key, PredictorDeployment] = field(default_factory=lambda: MappingProxyType({}))
    """By namespace and InferenceService."""
    routes: Mapping[Key, Route] = field(default_factory=lambda: MappingProxyType({}))
    pods: Mapping[Key, tuple[PodTrouble, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Those in trouble, by namespace and InferenceService."""
    away: str = ""
    """Why the cluster cannot be watched now; what is shown is from before."""
    version: int = 0
    """Another number for another view."""


def _condition(raw: Object, name: str) -> Object:
    conditions = raw.get("status", {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == name), {})
