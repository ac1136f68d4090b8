"""A real API server: objects applied to it as Argo CD does, read back, and taken away again."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.resource import Resource

T = TypeVar("T")
Manifest = dict[str, Any]

FIELD_MANAGER = "argocd-controller"
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1
# Of metadata: what the API server and controllers write.
_SERVERS = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"})
# Of other parts: the API server's own on every Namespace; Kueue's on jobs, which must not be stated.
_ADDED = {"Namespace": {"$.spec"}, "TrainJob": {"$.spec.suspend", "$.spec.runtimePatches"}}
_ARGO_CD_FINALIZER = "resources-finalizer.argocd.argoproj.io"


def until(condition: Callable[[], T | None], what: str, seconds: float = WAIT_SECONDS) -> T:
    """Return the condition's value once that is true; fails after `seconds`, saying what it last was."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}; last seen: {value!r}"
        time.sleep(POLL_SECONDS)
    return value


class Cluster:
    """One API server, as an administrator or as Argo CD's controller."""

    def __init__(self, kubeconfig: Path, cache: Path, argo_cd: str = "") -> None:
        """Connect; `argo_cd` is the namespace of the Argo CD to be taken for."""
        self._api = config.new_client_from_config(str(kubeconfig))
        if argo_cd:
            self._api.set_default_header(
                "Impersonate-User", f"system:serviceaccount:{argo_cd}:argocd-application-controller"
            )
            self._api.set_default_header("Impersonate-Group", "system:masters")
        self._dynamic = DynamicClient(self._api, cache_file=str(cache))

    def apply(self, manifest: Mapping[str, Any]) -> Manifest:
        """Apply on the server and return what is stored. Raises ApiException, with the server's words."""
        answer = self._dynamic.server_side_apply(
            self._resource(manifest),
            body=dict(manifest),
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace"),
            field_manager=FIELD_MANAGER,
            force_conflicts=True,
            query_params=[("fieldValidation", "Strict")],
        )
        return _plain(answer)

    def stored(self, manifest: Mapping[str, Any]) -> Manifest | None:
        """Return an object as it is stored; None where it is not."""
        metadata = manifest["metadata"]
        try:
            return _plain(self._resource(manifest).get(name=metadata["name"], namespace=metadata.get("namespace")))
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def listed(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[Manifest]:
        """Return the objects of a kind in a namespace."""
        resource = self._dynamic.resources.get(api_version=api_version, kind=kind)
        found: list[Manifest] = _plain(resource.get(namespace=namespace, label_selector=selector))["items"]
        return found

    def refusal(self, manifest: Mapping[str, Any]) -> str:
        """Return why an object would not be taken; empty where it would. Nothing is stored."""
        namespace = manifest["metadata"].get("namespace")
        try:
            self._resource(manifest).create(body=dict(manifest), namespace=namespace, dry_run="All")
        except ApiException as error:
            return str(json.loads(error.body)["message"])
        return ""

    def delete(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Delete objects, in the order given, and wait until they are gone."""
        going = [each for each in manifests if self._start_deleting(each)]
        for each in going:
            until(lambda each=each: self.stored(each) is None, f"{_named(each)} is gone")  # type: ignore[misc]

    def install(self, definitions: Iterable[Manifest]) -> None:
        """Create the CustomResourceDefinitions that are not there, and wait until they are served."""
        missing = [each for each in definitions if self.stored(each) is None]
        for each in missing:
            self.apply(each)
        for each in missing:
            until(lambda each=each: _is_established(self.stored(each)), f"{_named(each)} is served")  # type: ignore[misc]
        self._dynamic.resources.invalidate_cache()

    def merge(self, manifest: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Change some fields of an object, as a person does by hand."""
        metadata = manifest["metadata"]
        self._resource(manifest).patch(
            body=dict(body),
            name=metadata["name"],
            namespace=metadata.get("namespace"),
            content_type="application/merge-patch+json",
        )

    def accept(self, route: Mapping[str, Any]) -> None:
        """Say of a route, as its gateway, that its newest spec is taken."""
        metadata, parents = route["metadata"], copy.deepcopy(route["status"]["parents"])
        for each in (condition for parent in parents for condition in parent["conditions"]):
            each["observedGeneration"] = metadata["generation"]
        self._resource(route).status.patch(
            body={"status": {"parents": parents}},
            name=metadata["name"],
            namespace=metadata["namespace"],
            content_type="application/merge-patch+json",
        )

    def token(self, namespace: str, account: str) -> str:
        """Return a token by which whoever has it is this ServiceAccount, for an hour."""
        made = client.CoreV1Api(self._api).create_namespaced_service_account_token(
            account, namespace, {"spec": {"expirationSeconds": 3600}}
        )
        token: str = made.status.token
        return token

    def close(self) -> None:
        """Let go of the connections."""
        self._api.close()

    def _resource(self, manifest: Mapping[str, Any]) -> Resource:
        return self._dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])

    def _start_deleting(self, manifest: Mapping[str, Any]) -> bool:
        metadata = manifest["metadata"]
        where = {"name": metadata["name"], "namespace": metadata.get("namespace")}
        resource = self._resource(manifest)
        try:
            if _ARGO_CD_FINALIZER in metadata.get("finalizers", ()):
                # Its controller would take it off, and none need be there.
                without = {"metadata": {"finalizers": None}}
                resource.patch(body=without, **where, content_type="application/merge-patch+json")
            resource.delete(**where, body={"propagationPolicy": "Background"})
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True


_NOT_FOUND = 404


def drift(manifest: Manifest, stored: Manifest) -> list[str]:
    """Return where an object that is stored says something else than its manifest: more, less or otherwise.

    What is the server's and the controllers' is passed over: identity, times, finalizers of their own, status.
    """
    known = {key: value for key, value in stored.items() if key != "status"}
    known["metadata"] = {key: value for key, value in stored["metadata"].items() if key not in _SERVERS}
    if "finalizers" not in manifest["metadata"]:
        known["metadata"].pop("finalizers", None)
    added = _ADDED.get(manifest["kind"], set())
    return [line for place, line in _differences(manifest, known, "$") if place not in added]


def _differences(wanted: Any, stored: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield each place at which they differ, and how."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        for key in sorted(wanted.keys() | stored.keys()):
            yield from _differences(wanted.get(key, _NOTHING), stored.get(key, _NOTHING), f"{place}.{key}")
    elif isinstance(wanted, list) and isinstance(stored, list) and len(wanted) == len(stored):
        for at, (one, other) in enumerate(zip(wanted, stored, strict=True)):
            yield from _differences(one, other, f"{place}[{at}]")
    elif wanted != stored:
        yield place, f"{place}: {wanted!r} is stored as {stored!r}"


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def _plain(answer: Any) -> Manifest:
    """Return the client's own objects as dictionaries."""
    found: Manifest = answer.to_dict()
    return found


def _named(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _is_established(definition: Manifest | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
