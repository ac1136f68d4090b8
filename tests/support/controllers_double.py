"""Argo CD, KServe and a gateway on a double of an API server, one look at a time: as the real ones were seen to write.

Shapes are those of Argo CD 3.6.1, KServe 0.20 and Gateway API v1 on Kubernetes 1.36, without what nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from intents.identity import namespace
from reconciler.drivers.kubernetes.cluster import GENERATE
from reconciler.planning.cluster_objects import REFRESH, SERVER_CONTAINER, SERVICE_LABEL, SOURCE_URI
from reconciler.planning.hydration import is_manifest, rendered_ref
from reconciler.ports.repository import Repository
from renderers import marks
from tests.support.kubernetes_double import PATHS, KubernetesDouble, Object

FINISHED = "2026-11-24T18:46:31Z"
UNREADABLE = (
    "Failed to load target state: failed to evaluate revision changes for source 1 of 1: failed to update revision for "
    "paths: rpc error: code = Internal desc = unable to resolve git revision : failed to list refs: "
    "dial tcp 127.0.0.1:19418: connect: connection refused"
)
_APPLIED_BY = "argocd.argoproj.io/tracking-id"


@dataclass
class ArgoCdDouble:
    """Syncs folders of the rendered branch when it is asked to look."""

    api: KubernetesDouble
    repository: Repository
    cluster: str = "local"
    argo_cd: str = "argocd"
    runs: bool = True
    is_unreadable: bool = False
    """The repository cannot be read."""
    refusals: dict[str, str] = field(default_factory=dict)
    """What the API server says instead of taking an object, by `<kind>/<name>`."""

    def install(self) -> None:
        """Make the ApplicationSets, which people apply once."""
        for name in ("platform", "tenants"):
            self.api.put(_named("ApplicationSet", self.argo_cd, f"{self.cluster}-{name}"))

    def make_all(self) -> None:
        """Make an Application of each folder, and sync it."""
        for each in self.api.listed("ApplicationSet"):
            self._make_applications(each["metadata"]["name"])

    def look(self) -> None:
        """Do what was asked for since the last look."""
        if not self.runs:
            return
        for each in self.api.listed("ApplicationSet"):
            if GENERATE in each["metadata"].get("annotations", {}):
                self._generate(each)
        for each in self.api.listed("Application"):
            if REFRESH in each["metadata"].get("annotations", {}):
                self._refresh(each)
            elif each["status"].get("operationState", {}).get("phase") == "Running" and not self.is_unreadable:
                self._sync(each)  # a retry

    def heal(self, kind: str, space: str, name: str) -> None:
        """Put an object back that somebody changed."""
        (application,) = [each for each in self.api.listed("Application") if _space(each) == space]
        folder = application["spec"]["source"]["path"]
        (wanted,) = [each for each in self._folder(folder) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
        self._apply(wanted, application["metadata"]["name"])
        operation = application["status"]["operationState"]
        operation["operation"] = {"sync": {"autoHealAttemptsCount": 1, "resources": [{"kind": kind, "name": name}]}}
        self.api.put(application)

    def _generate(self, application_set: Object) -> None:
        del application_set["metadata"]["annotations"][GENERATE]
        if self.is_unreadable:
            error = {"type": "ErrorOccurred", "status": "True", "message": f"error generating params: {UNREADABLE}"}
            application_set["status"] = {"conditions": [error]}
        else:
            application_set["status"] = {"conditions": [{"type": "ErrorOccurred", "status": "False", "message": ""}]}
            self._make_applications(application_set["metadata"]["name"])
        self.api.put(application_set)

    def _make_applications(self, made_by: str) -> None:
        wanted = {folder for folder in self._folders() if self._set_of(folder) == made_by}
        there = {each["spec"]["source"]["path"]: each for each in self.api.listed("Application")}
        for folder in wanted - there.keys():
            name = f"{self.cluster}-{folder.replace('/', '--')}"
            application = _named("Application", self.argo_cd, name, {marks.CLUSTER: self.cluster})
            self._sync(application | {"spec": {"source": {"path": folder}}})
        for folder, each in there.items():
            if folder not in wanted and self._set_of(folder) == made_by:
                self._prune(each["metadata"]["name"], ())
                self.api.delete(each)

    def _refresh(self, application: Object) -> None:
        del application["metadata"]["annotations"][REFRESH]
        if self.is_unreadable:
            error = {"type": "ComparisonError", "message": UNREADABLE}
            before = application["status"].get("operationState", {})
            sync = {"status": "Unknown", "revision": rendered_ref(self.cluster)}
            application["status"] = {"operationState": before, "conditions": [error], "sync": sync}
            self.api.put(application)
        else:
            self._sync(application)

    def _sync(self, application: Object) -> None:
        head = self.repository.head(rendered_ref(self.cluster))
        folder, name = application["spec"]["source"]["path"], application["metadata"]["name"]
        wanted = list(self._folder(folder))
        fenced = [each for each in wanted if each["metadata"].get("namespace") not in self._spaces(folder)]
        refused = [] if fenced else [each for each in wanted if _word(each) in self.refusals]
        results = [_fenced(each, folder) for each in fenced]
        results += [_failed(each, self.refusals[_word(each)]) for each in refused]
        if not fenced:
            for each in wanted:
                if each not in refused and each["kind"] in PATHS:
                    self._apply(each, name)
            self._prune(name, wanted)
        operation = {"phase": "Succeeded", "message": "successfully synced (all tasks run)", "finishedAt": FINISHED}
        if results:
            words = f"one or more objects failed to apply, reason: {results[0]['message']}"
            retrying = "Retrying attempt #2 at 2026-11-24T18:45:27Z."
            operation = {"phase": "Running", "message": f"{words}. {retrying}"}
        result = {"revision": head, "resources": results}
        sync = {"status": "OutOfSync" if results else "Synced", "revision": head}
        self.api.put(application | {"status": {"operationState": {**operation, "syncResult": result}, "sync": sync}})

    def _apply(self, manifest: Mapping[str, Any], application: str) -> None:
        before = self.api.get(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        status = {"status": before["status"]} if before and "status" in before else {}
        annotations = {**manifest["metadata"].get("annotations", {}), _APPLIED_BY: application}
        self.api.put({**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}, **status})

    def _prune(self, application: str, wanted: Any) -> None:
        keep = {(each["kind"], each["metadata"]["name"]) for each in wanted}
        for kind in ("HTTPRoute", "InferenceService"):
            for each in self.api.listed(kind):
                is_ours = each["metadata"].get("annotations", {}).get(_APPLIED_BY) == application
                if is_ours and (kind, each["metadata"]["name"]) not in keep:
                    self.api.delete(each)

    def _folders(self) -> set[str]:
        head = self.repository.head(rendered_ref(self.cluster))
        paths = (each.path for each in self.repository.files(head) if is_manifest(each.path)) if head else ()
        return {path.rpartition("/")[0] for path in paths}

    def _folder(self, folder: str) -> Iterator[Object]:
        head = self.repository.head(rendered_ref(self.cluster))
        for each in self.repository.files(head) if head else ():
            if each.blob and is_manifest(each.path) and each.path.rpartition("/")[0] == folder:
                yield yaml.load(self.repository.blob(each.blob), yaml.CSafeLoader)

    def _set_of(self, folder: str) -> str:
        return f"{self.cluster}-{'platform' if folder.startswith('platform/') else 'tenants'}"

    def _spaces(self, folder: str) -> set[str | None]:
        if folder.startswith("platform/"):
            return {each["metadata"].get("namespace") for each in self._folder(folder)}
        return {namespace(*folder.split("/"))}


def _fenced(manifest: Mapping[str, Any], folder: str) -> Object:
    space = manifest["metadata"]["namespace"]
    words = f"namespace {space} is not permitted in project 'local-{folder.partition('/')[0]}'"
    return {**_result(manifest, words), "status": "SyncFailed"}


def _failed(manifest: Mapping[str, Any], words: str) -> Object:
    return {**_result(manifest, words), "status": "SyncFailed", "hookPhase": "Failed"}


def _result(manifest: Mapping[str, Any], message: str) -> Object:
    metadata = manifest["metadata"]
    return {
        "kind": manifest["kind"],
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "message": message,
        "syncPhase": "Sync",
    }


@dataclass
class KServeDouble:
    """Makes a Deployment of each InferenceService, and lets its pods come."""

    api: KubernetesDouble
    pods_come: bool = True
    words: dict[str, str] = field(default_factory=dict)
    """Why pods are refused, by InferenceService."""

    def look(self) -> None:
        """Bring Deployments and status up to what is asked for."""
        wanted = {each["metadata"]["name"]: each for each in self.api.listed("InferenceService")}
        for each in self.api.listed("Deployment"):
            if each["metadata"]["labels"][SERVICE_LABEL] not in wanted:
                self.api.delete(each)
        for name, each in wanted.items():
            self._reconcile(name, each)

    def _reconcile(self, name: str, service: Object) -> None:
        refused = self.words.get(name, "")
        space, model = service["metadata"]["namespace"], service["spec"]["predictor"]["model"]
        there = self.api.get("Deployment", space, f"{name}-predictor")
        stored = self.api.put(_deployment(service, there))
        is_new = there is None or there["spec"] != stored["spec"]
        if refused:
            condition = {"type": "PredictorReady", "status": "False", "reason": "FailedCreate", "message": refused}
            self.api.put(service | {"status": {"conditions": [condition]}})
        elif self.pods_come:
            pods = service["spec"]["predictor"]["minReplicas"]
            status = {"observedGeneration": stored["metadata"]["generation"], "replicas": pods}
            self.api.put(stored | {"status": {**status, "updatedReplicas": pods, "availableReplicas": pods}})
            self.api.put(service | {"status": _ready(model["storageUri"])})
        elif is_new:
            self.api.put(stored | {"status": _before_its_pods(stored, there)})


def _before_its_pods(stored: Object, there: Object | None) -> Object:
    """Return a Deployment's status while its new pods have not come; those of before stay.

    During a change, and after a bad one, KServe goes on saying Ready.
    """
    generation = {"observedGeneration": stored["metadata"]["generation"]}
    if there is None:
        pods = stored["spec"]["replicas"]
        return {"replicas": pods, "updatedReplicas": pods, "availableReplicas": 0, **generation}
    return {**there["status"], "updatedReplicas": 0, **generation}


def _ready(uri: str) -> Object:
    conditions = [{"type": name, "status": "True"} for name in ("PredictorReady", "Ready")]
    return {"conditions": conditions, "modelStatus": {"transitionStatus": "UpToDate"}, "url": f"http://of/{uri}"}


def _deployment(service: Object, there: Object | None) -> Object:
    metadata, model = service["metadata"], service["spec"]["predictor"]["model"]
    labels = {**metadata["labels"], SERVICE_LABEL: metadata["name"]}
    container = {"name": SERVER_CONTAINER, "resources": model["resources"]}
    annotations = {**metadata["annotations"], SOURCE_URI: model["storageUri"]}
    made = _named("Deployment", metadata["namespace"], f"{metadata['name']}-predictor", labels)
    made["spec"] = {
        "replicas": service["spec"]["predictor"]["minReplicas"],
        "template": {"metadata": {"annotations": annotations, "labels": labels}, "spec": {"containers": [container]}},
    }
    return made | ({"status": there["status"]} if there and "status" in there else {"status": {}})


@dataclass
class GatewayDouble:
    """Accepts routes."""

    api: KubernetesDouble
    refusal: str = ""
    """Why it takes none."""

    def look(self) -> None:
        """Say of each route whether it is taken."""
        for each in self.api.listed("HTTPRoute"):
            says = {"observedGeneration": each["metadata"]["generation"], "message": self.refusal}
            status = "False" if self.refusal else "True"
            reason = "NotAllowedByListeners" if self.refusal else "Accepted"
            conditions = [
                {"type": "Accepted", "status": status, "reason": reason, **says},
                {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", **says},
            ]
            self.api.put(each | {"status": {"parents": [{"conditions": conditions}]}})


def _named(kind: str, space: str, name: str, labels: Mapping[str, str] | None = None) -> Object:
    metadata = {"name": name, "namespace": space, "labels": dict(labels or {}), "annotations": {}}
    return {"kind": kind, "metadata": metadata, "spec": {}}


def _space(application: Object) -> str:
    folder: str = application["spec"]["source"]["path"]
    return "" if folder.startswith("platform/") else namespace(*folder.split("/"))


def _word(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"
