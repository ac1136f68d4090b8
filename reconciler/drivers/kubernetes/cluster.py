"""What is watched of a cluster for serving: Applications, InferenceServices, Deployments, routes, pods in trouble."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from reconciler.drivers.kubernetes.access import FIELD_MANAGER, ApiServer, refuse_failure
from reconciler.drivers.kubernetes.watch import Source, Watch
from reconciler.planning.cluster_objects import (
    REFRESH,
    ApplicationSet,
    ClusterView,
    Key,
    Object,
    PodTrouble,
    application_of,
    application_set_of,
    inference_service_of,
    pod_trouble_of,
    predictor_deployment_of,
    route_of,
)
from reconciler.ports.errors import Waiting
from renderers import marks

GENERATE = "argocd.argoproj.io/application-set-refresh"
MERGE_PATCH = "application/merge-patch+json"
_ARGO_CD = "/apis/argoproj.io/v1alpha1"


class KubernetesCluster:
    """Implements `Cluster`: one watch a kind, whatever there is of it; `run` keeps them going."""

    def __init__(self, server: ApiServer, name: str, argo_cd: str) -> None:
        """Watch, of the cluster called `name`, what belongs to deployments; `argo_cd` is Argo CD's namespace."""
        self._server = server
        self._argo_cd = f"{_ARGO_CD}/namespaces/{argo_cd}"
        self._wake = asyncio.Event()
        self._version = 0
        self._view = ClusterView(version=-1)
        ours = marks.DEPLOYMENT
        self._applications = self._watch(f"{self._argo_cd}/applications", application_of, f"{marks.CLUSTER}={name}")
        self._sets = self._watch(f"{self._argo_cd}/applicationsets", _set_of(name))
        self._services = self._watch("/apis/serving.kserve.io/v1beta1/inferenceservices", inference_service_of, ours)
        self._deployments = self._watch("/apis/apps/v1/deployments", predictor_deployment_of, ours)
        self._routes = self._watch("/apis/gateway.networking.k8s.io/v1/httproutes", route_of, ours)
        self._pods = self._watch("/api/v1/pods", pod_trouble_of, ours)

    def _watch(self, path: str, reduce: Any, selector: str = "") -> Watch[Any]:
        return Watch(self._server, Source(path, reduce, selector), self._changed)

    @property
    def _watches(self) -> tuple[Watch[Any], ...]:
        return self._applications, self._sets, self._services, self._deployments, self._routes, self._pods

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._watches:
                group.create_task(each.run())

    async def seen(self) -> ClusterView:
        """Return everything as it was last told. Raises Waiting until everything was listed once."""
        for each in self._watches:
            if not each.is_listed:
                raise Waiting(f"{each.source.path}: {each.trouble}")
        if self._view.version != self._version:
            self._view = self._composed()
        return self._view

    def _composed(self) -> ClusterView:
        return ClusterView(
            applications={each.folder: each for each in self._applications.objects.values()},
            application_sets={each.name: each for each in self._sets.objects.values()},
            services=MappingProxyType(self._services.objects),
            deployments={(each.namespace, each.service): each for each in self._deployments.objects.values()},
            routes=MappingProxyType(self._routes.objects),
            pods=_by_service(self._pods.objects),
            away="; ".join(dict.fromkeys(each.trouble for each in self._watches if each.trouble)),
            version=self._version,
        )

    async def hints(self) -> AsyncIterator[str]:
        """Yield whenever something changed; for one listener."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            yield "cluster"

    async def refresh(self, application: str) -> None:
        """Let Argo CD compare an Application with git now."""
        await self._annotate(f"{self._argo_cd}/applications/{application}", REFRESH, "normal")

    async def generate(self, application_set: str) -> None:
        """Let Argo CD look for folders that came or went now.

        Each time by another value, any of which it takes (3.6): it leaves the annotation where it failed, is told of
        nothing where that stays the same, and looks again by itself after minutes only.
        """
        await self._annotate(f"{self._argo_cd}/applicationsets/{application_set}", GENERATE, uuid4().hex)

    async def abandon(self, application: str) -> None:
        """Let Argo CD give up the sync of an Application that is to go."""
        await self._patch(f"{self._argo_cd}/applications/{application}", {"operation": None})

    async def _annotate(self, path: str, annotation: str, value: str) -> None:
        await self._patch(path, {"metadata": {"annotations": {annotation: value}}})

    async def _patch(self, path: str, body: Mapping[str, Any]) -> None:
        answer = await self._server.ask(
            "PATCH", path, json=body, headers={"Content-Type": MERGE_PATCH}, params={"fieldManager": FIELD_MANAGER}
        )
        if answer.status_code != HTTPStatus.NOT_FOUND:
            refuse_failure(answer, f"patching {path}")

    def _changed(self) -> None:
        self._version += 1
        self._wake.set()


def _set_of(cluster: str) -> Callable[[Object], ApplicationSet | None]:
    """Return what keeps the ApplicationSets of a cluster: they bear no label of it, but its name."""

    def reduce(raw: Object) -> ApplicationSet | None:
        found = application_set_of(raw)
        return found if found.name.startswith(f"{cluster}-") else None

    return reduce


def _by_service(pods: Mapping[Key, PodTrouble]) -> Mapping[Key, tuple[PodTrouble, ...]]:
    found: defaultdict[Key, tuple[PodTrouble, ...]] = defaultdict(tuple)
    for _, each in sorted(pods.items()):
        found[each.namespace, each.service] += (each,)
    return dict(found)
