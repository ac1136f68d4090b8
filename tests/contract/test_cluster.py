"""The Cluster port: on a double of an API server always, on a real one where ORDAIN_TEST_KUBECONFIG names it."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from reconciler.drivers.kubernetes.access import ApiServer, ClusterAccess
from reconciler.drivers.kubernetes.cluster import GENERATE, KubernetesCluster
from reconciler.planning.cluster_objects import ClusterView
from reconciler.ports.errors import Stalled, Waiting
from renderers import marks
from renderers.rendering import render_cluster
from tests.fixtures.serving import situations
from tests.support.clusters import Cluster
from tests.support.kubernetes_double import KubernetesDouble

pytestmark = pytest.mark.anyio

KUBECONFIG = "ORDAIN_TEST_KUBECONFIG"
PATIENCE_SECONDS = 20.0
NAME = "contract"

Manifest = dict[str, Any]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Place(Protocol):
    """An API server that a test may write to."""

    @property
    def kubeconfig(self) -> Path: ...

    def put(self, manifest: Manifest, /) -> object: ...

    def take(self, manifest: Manifest, /) -> None: ...

    def get(self, kind: str, namespace: str, name: str, /) -> Manifest | None: ...


class Real:
    """A real API server, in namespaces of the test's own."""

    def __init__(self, kubeconfig: Path, cache: Path) -> None:
        self.kubeconfig = kubeconfig
        self._cluster = Cluster(kubeconfig, cache)
        self._made: list[Manifest] = []

    def put(self, manifest: Manifest) -> None:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": manifest["metadata"]["namespace"]}}
        for each in (space, manifest):
            if each not in self._made:
                self._made.append(each)
            self._cluster.apply(each)

    def take(self, manifest: Manifest) -> None:
        self._cluster.delete([manifest])

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        (known,) = [each for each in self._made if (each["kind"], each["metadata"]["name"]) == (kind, name)]
        return self._cluster.stored(known)

    def close(self) -> None:
        self._cluster.delete(reversed(self._made))
        self._cluster.close()


class Double(KubernetesDouble):
    """The double, with the words of a place."""

    def take(self, manifest: Manifest) -> None:
        self.delete(manifest)


@pytest.fixture(params=["double", pytest.param("real", marks=pytest.mark.cluster)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "double":
        with Double(tmp_path) as double:
            yield double
        return
    named = os.environ.get(KUBECONFIG)
    if not named:
        pytest.skip(f"{KUBECONFIG} names no cluster")
    real = Real(Path(named), tmp_path / "discovery.json")
    yield real
    real.close()


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with Double(tmp_path) as made:
        yield made


@dataclass
class Here:
    """Manifests of one deployment, in namespaces that no other test has."""

    space: str
    argo_cd: str

    def application(self, folder: str = "acme/fraud") -> Manifest:
        name = f"{NAME}-{folder.replace('/', '--')}"
        destination = {"server": "https://kubernetes.default.svc", "namespace": self.space}
        source = {"repoURL": "https://git.example/r.git", "path": folder, "targetRevision": "main"}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": self.argo_cd, "labels": {marks.CLUSTER: NAME}},
            "spec": {"project": NAME, "source": source, "destination": destination},
        }

    def rendered(self, kind: str, name: str) -> Manifest:
        for each in render_cluster(situations()["before-ready"], "local").values():
            if each["kind"] == kind and each["metadata"]["name"] == name:
                found = copy.deepcopy(dict(each))
                found["metadata"]["namespace"] = self.space
                return found
        raise LookupError(name)


@pytest.fixture
def here() -> Here:
    tag = uuid4().hex[:8]
    return Here(f"contract--{tag}", f"contract-argocd-{tag}")


@asynccontextmanager
async def following(place: Place, here: Here) -> AsyncIterator[KubernetesCluster]:
    server = ApiServer(ClusterAccess(place.kubeconfig))
    cluster = KubernetesCluster(server, NAME, here.argo_cd)
    task = asyncio.create_task(cluster.run())
    try:
        yield cluster
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.close()


async def until(cluster: KubernetesCluster, holds: Callable[[ClusterView], bool]) -> ClusterView:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                view = await cluster.seen()
                if holds(view):
                    return view
            except Waiting:
                pass
            await asyncio.sleep(0.02)


async def put(place: Place, *manifests: Mapping[str, Any]) -> None:
    for each in manifests:
        await asyncio.to_thread(place.put, dict(each))


async def test_what_is_there_is_seen(place: Place, here: Here) -> None:
    service, route = here.rendered("InferenceService", "scoring-v2"), here.rendered("HTTPRoute", "scoring")
    await put(place, here.application(), service, route)
    async with following(place, here) as cluster:
        view = await until(cluster, lambda seen: (here.space, "scoring") in seen.routes)
    found = view.services[here.space, "scoring-v2"]
    assert found.digest == service["metadata"]["annotations"][marks.MODEL_DIGEST]
    assert found.uri == service["spec"]["predictor"]["model"]["storageUri"]
    seen = view.routes[here.space, "scoring"]
    assert seen.rollout_blob == route["metadata"]["annotations"][marks.ROLLOUT_BLOB]
    assert seen.weights == {"scoring-v1-predictor": 100, "scoring-v2-predictor": 0}
    assert seen.timeout_seconds == 5.0
    assert view.applications["acme/fraud"].name == f"{NAME}-acme--fraud"
    assert view.away == ""


async def test_what_comes_changes_and_goes_is_told(place: Place, here: Here) -> None:
    service = here.rendered("InferenceService", "scoring-v1")
    where = here.space, "scoring-v1"
    async with following(place, here) as cluster:
        before = await until(cluster, lambda _: True)
        hint = asyncio.create_task(_first_hint(cluster))
        await put(place, service)
        view = await until(cluster, lambda seen: where in seen.services)
        assert view.version != before.version
        assert await hint == "cluster"
        other = copy.deepcopy(service)
        other["spec"]["predictor"]["model"]["storageUri"] = "s3://models/other/"
        await put(place, other)
        await until(cluster, lambda seen: seen.services[where].uri == "s3://models/other/")
        await asyncio.to_thread(place.take, service)
        await until(cluster, lambda seen: where not in seen.services)


async def _first_hint(cluster: KubernetesCluster) -> str:
    return await anext(aiter(cluster.hints()))


async def test_what_is_of_no_deployment_or_another_cluster_is_not_seen(place: Place, here: Here) -> None:
    service = here.rendered("InferenceService", "scoring-v1")
    foreign = copy.deepcopy(service)
    foreign["metadata"] |= {"name": "foreign", "labels": {}}
    others = here.application("globex/churn")
    others["metadata"]["labels"] = {marks.CLUSTER: "another"}
    await put(place, foreign, others, service)
    async with following(place, here) as cluster:
        view = await until(cluster, lambda seen: (here.space, "scoring-v1") in seen.services)
    assert (here.space, "foreign") not in view.services
    assert "globex/churn" not in view.applications


async def test_argo_cd_is_asked_to_look(place: Place, here: Here) -> None:
    await put(place, here.application())
    async with following(place, here) as cluster:
        view = await until(cluster, lambda seen: bool(seen.applications))
        assert not view.applications["acme/fraud"].is_asked
        await cluster.refresh(view.applications["acme/fraud"].name)
        await until(cluster, lambda seen: seen.applications["acme/fraud"].is_asked)


async def test_a_sync_is_given_up(place: Place, here: Here) -> None:
    running = here.application() | {"operation": {"sync": {"revision": "main"}, "retry": {"limit": -1}}}
    await put(place, running)
    async with following(place, here) as cluster:
        await until(cluster, lambda seen: bool(seen.applications))
        before = (await cluster.seen()).version
        await cluster.abandon(f"{NAME}-acme--fraud")
        await cluster.refresh(f"{NAME}-acme--fraud")
        await until(cluster, lambda seen: seen.version != before)
    stored = await asyncio.to_thread(place.get, "Application", here.argo_cd, f"{NAME}-acme--fraud")
    assert stored is not None
    assert "operation" not in stored


async def test_asking_for_what_is_gone_is_no_error(place: Place, here: Here) -> None:
    await put(place, here.application())
    async with following(place, here) as cluster:
        await until(cluster, lambda seen: bool(seen.applications))
        await cluster.refresh("gone")
        await cluster.generate("gone")
        await cluster.abandon("gone")


# The double alone: what cannot be done to a real API server.


def listings(double: Double, kind: str) -> int:
    return sum(path.endswith(f"/{kind}") for _, path in double.asked)


async def test_an_application_set_is_asked_to_look_for_folders(double: Double, here: Here) -> None:
    metadata = {"name": f"{NAME}-tenants", "namespace": here.argo_cd, "annotations": {}}
    double.put({"kind": "ApplicationSet", "metadata": metadata, "spec": {}})
    async with following(double, here) as cluster:
        await until(cluster, lambda seen: bool(seen.application_sets))
        values = []
        for _ in range(2):
            await cluster.generate(f"{NAME}-tenants")
            stored = double.get("ApplicationSet", here.argo_cd, f"{NAME}-tenants")
            assert stored is not None
            values.append(stored["metadata"]["annotations"][GENERATE])
    # Where Argo CD could not, it leaves the annotation: the same value again would tell it nothing.
    assert len(set(values)) == 2


async def test_more_than_a_page_is_seen(double: Double, here: Here) -> None:
    for number in range(7):
        service = here.rendered("InferenceService", "scoring-v1")
        service["metadata"]["name"] = f"scoring-v{number}"
        double.put(service)
    async with following(double, here) as cluster:
        await until(cluster, lambda seen: len(seen.services) == 7)


async def test_a_cut_connection_goes_on_where_it_was(double: Double, here: Here) -> None:
    async with following(double, here) as cluster:
        await until(cluster, lambda _: True)
        lists = len([each for each in double.asked if each[1].endswith("inferenceservices")])
        double.cut()
        double.put(here.rendered("InferenceService", "scoring-v1"))
        await until(cluster, lambda seen: bool(seen.services))
        # The list, its watch, and the watch after the cut.
        assert listings(double, "inferenceservices") <= lists + 1


async def test_what_the_server_has_forgotten_is_listed_anew(double: Double, here: Here) -> None:
    service = here.rendered("InferenceService", "scoring-v1")
    double.put(service)
    async with following(double, here) as cluster:
        await until(cluster, lambda seen: bool(seen.services))
        double.delete(service)
        double.forget()
        await until(cluster, lambda seen: not seen.services)


async def test_a_server_that_is_away_is_said_and_found_again(double: Double, here: Here) -> None:
    async with following(double, here) as cluster:
        await until(cluster, lambda _: True)
        double.down = True
        double.cut()
        view = await until(cluster, lambda seen: bool(seen.away))
        assert "away" in view.away
        with pytest.raises(Waiting, match="does not answer"):
            await cluster.refresh("any")
        double.down = False
        double.put(here.rendered("InferenceService", "scoring-v1"))
        await until(cluster, lambda seen: not seen.away and bool(seen.services))


async def test_credentials_that_were_renewed_are_read_again(double: Double, here: Here) -> None:
    double.put(here.application())
    async with following(double, here) as cluster:
        await until(cluster, lambda seen: bool(seen.applications))
        double.token = "renewed"
        double.cut()
        with pytest.raises(Stalled, match=r"renew its credentials"):
            await cluster.refresh("any")
        double.write_kubeconfig()
        await cluster.refresh(f"{NAME}-acme--fraud")
        await until(cluster, lambda seen: seen.applications["acme/fraud"].is_asked and not seen.away)


async def test_a_right_that_is_missing_is_named(double: Double, here: Here) -> None:
    double.refused = "/apis/serving.kserve.io"
    async with following(double, here) as cluster, asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with pytest.raises(Waiting) as waiting:
                await cluster.seen()
            if "inferenceservices" in str(waiting.value) and "ordain install" in str(waiting.value):
                break
            await asyncio.sleep(0.02)


async def test_a_kubeconfig_that_cannot_be_read_says_so(double: Double, here: Here) -> None:
    double.kubeconfig.write_text("nonsense: true\n")
    async with following(double, here) as cluster:
        with pytest.raises(Stalled, match="kubeconfig"):
            await cluster.refresh("any")
