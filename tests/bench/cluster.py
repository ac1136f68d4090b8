"""What a cluster costs: following 1,000 deployments on a double, and the line on the real one that is named."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import yaml
from rich.table import Table

from intents.tree import Tree
from reconciler.drivers.kubernetes.access import ApiServer, ClusterAccess
from reconciler.drivers.kubernetes.cluster import KubernetesCluster
from reconciler.planning.events import Fact
from reconciler.planning.hydration import rendered_ref
from reconciler.planning.serving import Condition, Served
from reconciler.ports.repository import NewCommit
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.cluster_worker import ClusterWorker
from renderers.canonical import Manifest, to_yaml
from renderers.rendering import render_cluster
from tests.bench.tables import percentiles, table
from tests.cluster.line import Line, gateway_of, laid_out
from tests.fixtures.serving import situations
from tests.support.clusters import Cluster, until
from tests.support.controllers_double import ArgoCdDouble, GatewayDouble, KServeDouble
from tests.support.kubernetes_double import KubernetesDouble
from tests.support.repositories import NOON, PLATFORM

DEPLOYMENTS, PROJECTS = 1_000, 50
IDLE_SECONDS, SWEEP_SECONDS = 20.0, 0.5
LOADED_SECONDS = 120.0
LINES = 20
_COMMIT = re.compile(r"[0-9a-f]{40}")
KUBECONFIG = "ORDAIN_TEST_KUBECONFIG"


def tables(folder: Path) -> Iterator[Table]:
    """Measure, and leave nothing on the cluster or running."""
    yield _following(folder)
    if named := os.environ.get(KUBECONFIG):
        yield _line(folder, Path(named))


def _following(folder: Path) -> Table:
    repository = GitRepository.create(folder / "state.git")
    _render(repository)
    made = table(f"following {DEPLOYMENTS:,} deployments, all ready, one watch a kind", "what", "CPU", "of a core")
    with _cluster(folder) as kubeconfig:
        seconds, first, idle = asyncio.run(_followed(repository, kubeconfig))
    made.add_row("until every one is judged once", f"{first:.1f} s", f"in {seconds:.1f} s")
    made.add_row(
        f"{IDLE_SECONDS:.0f} s in which nothing happens", f"{1000 * idle:.0f} ms", f"{idle / IDLE_SECONDS:.1%}"
    )
    return made


async def _followed(repository: GitRepository, kubeconfig: Path) -> tuple[float, float, float]:
    """Return the seconds and CPU seconds until everything is judged, and those of a while at rest."""
    server, status = ApiServer(ClusterAccess(kubeconfig)), _Status()
    cluster = KubernetesCluster(server, "local", "argocd")

    async def tree() -> Tree:
        return Tree.empty()

    worker = ClusterWorker(repository, tree, cluster, status, "local", lambda: datetime.now(UTC))
    began, used = time.perf_counter(), time.process_time()
    task = asyncio.create_task(cluster.run())
    while len(status.ready) < DEPLOYMENTS:
        await _turn(worker)
    first = time.perf_counter() - began, time.process_time() - used
    used, end = time.process_time(), time.perf_counter() + IDLE_SECONDS
    while time.perf_counter() < end:
        await _turn(worker)
    idle = time.process_time() - used
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await server.close()
    return *first, idle


async def _turn(worker: ClusterWorker) -> None:
    try:
        await worker.turn()
    except Exception as error:  # noqa: BLE001 - the loop says it and goes on
        sys.stderr.write(f"{error}\n")
    await asyncio.sleep(SWEEP_SECONDS)


class _Status:
    """A ledger that only knows who is ready."""

    def __init__(self) -> None:
        self.ready: set[tuple[str, str, str]] = set()

    async def served(self, tenant: str, project: str, deployment: str) -> Served | None:
        raise NotImplementedError

    async def record_served(self, served: Served, conditions: Sequence[Condition], commit: str) -> None:
        if all(each.status for each in conditions):
            self.ready.add((served.tenant, served.project, served.deployment))

    async def record_condition(
        self, tenant: str, project: str, deployment: str, condition: Condition, commit: str, fact: Fact | None
    ) -> bool:
        raise NotImplementedError

    async def forget_deployments(self, keep: Sequence[tuple[str, str, str]]) -> None:
        """Nothing is kept."""


def _render(repository: GitRepository) -> None:
    """Put the manifests of all deployments on the branch."""
    files: dict[str, bytes | None] = {}
    for number in range(DEPLOYMENTS):
        project = f"p{number % PROJECTS}"
        for path, manifest in _manifests(project, f"d{number}").items():
            files[path] = to_yaml(manifest)
    (made,) = repository.append("bench", None, [NewCommit(PLATFORM, PLATFORM, NOON, "Bench\n", files)])
    repository.move(rendered_ref("local"), None, made)


def _manifests(project: str, name: str) -> dict[str, Manifest]:
    """Return what one deployment is rendered to."""
    found: dict[str, Manifest] = {}
    for path, manifest in _ONE.items():
        text = to_yaml(manifest).decode().replace("scoring", name).replace("fraud", project)
        found[path.replace("scoring", name).replace("fraud", project)] = _loaded(text)
    return found


def _loaded(text: str) -> Manifest:
    loaded: Manifest = yaml.load(text, yaml.CSafeLoader)
    return loaded


_ONE = {
    path: manifest
    for path, manifest in render_cluster(situations()["first"], "local").items()
    if manifest["kind"] in {"InferenceService", "HTTPRoute"} and path.startswith("acme/fraud/")
}


@contextmanager
def _cluster(folder: Path) -> Iterator[Path]:
    """Yield the kubeconfig of a double in a process of its own, in which everything is applied."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_be_a_cluster, args=(folder, theirs))
    process.start()
    try:
        assert ours.poll(LOADED_SECONDS), "the double is not ready"
        yield Path(ours.recv())
        ours.send("done")
    finally:
        process.join(10)
        process.kill()


def _be_a_cluster(folder: Path, parent: Connection) -> None:
    with KubernetesDouble(folder, page=500) as api:
        argo_cd = ArgoCdDouble(api, GitRepository(folder / "state.git"))
        argo_cd.install()
        argo_cd.make_all()
        for each in (KServeDouble(api), GatewayDouble(api)):
            each.look()
        parent.send(str(api.kubeconfig))
        parent.recv()


def _line(folder: Path, kubeconfig: Path) -> Table:
    cluster = Cluster(kubeconfig, folder / "discovery.json")
    line = Line(laid_out(folder / "line" / "root"), cluster, kubeconfig)
    made = table(
        f"{LINES} deployments, one after the other, on a real cluster", "from the commit to", "p50", "p95", "worst"
    )
    line.install()
    line.up()
    try:
        with gateway_of(cluster):
            line.make_secret()
            line.acme.deploy("warm", "v1", "scaler@1")
            line.acme.settled("warm", "v1", 120)
            seen = [_timed(line, f"d{number}") for number in range(LINES)]
    finally:
        line.platform.down()
        line.end()
        cluster.close()
    for name, values in (("Synced at that revision", [one for one, _ in seen]), ("Ready", [two for _, two in seen])):
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)) - 1)]
        made.add_row(name, percentiles(values)[0], f"{1000 * p95:.0f} ms", f"{1000 * ordered[-1]:.0f} ms")
    return made


def _timed(line: Line, name: str) -> tuple[float, float]:
    """Return the seconds from a deployment's commit to its sync, and to Ready."""
    line.acme.deploy(name, "v1", "scaler@1")
    began = time.perf_counter()
    repository = GitRepository(line.platform.layout.repository)
    path = f"acme/fraud/inferenceservice-{name}-v1.yaml"

    def is_synced() -> bool:
        revision = line.synced()
        return _COMMIT.fullmatch(revision) is not None and repository.read(revision, path) is not None

    until(is_synced, f"{name} to be synced", 60)
    synced = time.perf_counter() - began
    line.acme.settled(name, "v1", 60)
    return synced, time.perf_counter() - began
