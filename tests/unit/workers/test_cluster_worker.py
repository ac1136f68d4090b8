"""The deployment worker of a cluster: on a real repository, with doubles of Argo CD, KServe and a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.drivers.kubernetes.access import ApiServer, ClusterAccess
from reconciler.drivers.kubernetes.cluster import KubernetesCluster
from reconciler.planning.cluster_serving import DRAIN_MARGIN, FAILED_AFTER, SILENT_AFTER
from reconciler.planning.events import Fact
from reconciler.planning.hydration import rendered_ref
from reconciler.planning.observations import ServerState
from reconciler.planning.rollouts import next_step
from reconciler.planning.serving import Condition, Served
from reconciler.ports.repository import NewCommit
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.cluster_worker import AWAY_AFTER, ClusterWorker
from reconciler.workers.hydrator import Hydrator
from reconciler.workers.tree_at_head import TreeAtHead
from renderers.canonical import to_yaml
from tests.fixtures.trees import CLUSTER, DEPLOYMENT, ROLLOUT, V1, V2, small_specs
from tests.support.controllers_double import ArgoCdDouble, GatewayDouble, KServeDouble
from tests.support.kubernetes_double import KubernetesDouble
from tests.support.repositories import NOON, PLATFORM, commit, intent

pytestmark = pytest.mark.anyio

SPACE = "acme--fraud"
KEY = ("acme", "fraud", "scoring")
PATIENCE_SECONDS = 20.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Status:
    """A status ledger that keeps what it is told, and how often that changed."""

    served_now: dict[tuple[str, str, str], Served] = field(default_factory=dict)
    conditions: dict[tuple[str, str], Condition] = field(default_factory=dict)
    changes: list[Condition] = field(default_factory=list)

    async def served(self, tenant: str, project: str, deployment: str) -> Served | None:
        return self.served_now.get((tenant, project, deployment))

    async def record_served(self, served: Served, conditions: Sequence[Condition], commit: str) -> None:
        key = (served.tenant, served.project, served.deployment)
        self.served_now[key] = served
        for each in conditions:
            await self.record_condition(*key, each, commit, None)

    async def record_condition(
        self, tenant: str, project: str, deployment: str, condition: Condition, commit: str, fact: Fact | None
    ) -> bool:
        key = (deployment, condition.type)
        changed = self.conditions.get(key) != condition
        self.conditions[key] = condition
        if changed:
            self.changes.append(condition)
        return changed

    async def forget_deployments(self, keep: Sequence[tuple[str, str, str]]) -> None:
        for gone in self.served_now.keys() - set(keep):
            del self.served_now[gone]
            self.conditions = {key: each for key, each in self.conditions.items() if key[0] != gone[2]}


@dataclass
class World:
    """A platform on a cluster, moved on by hand; time goes by only when a test says so."""

    repository: GitRepository
    api: KubernetesDouble
    clock: datetime = NOON
    status: Status = field(default_factory=Status)

    def __post_init__(self) -> None:
        self.head = TreeAtHead(self.repository)
        self.hydrator = Hydrator(self.repository, self.head, self.status, "local", PLATFORM, lambda: NOON)
        self.argo_cd = ArgoCdDouble(self.api, self.repository)
        self.kserve, self.gateway = KServeDouble(self.api), GatewayDouble(self.api)
        self.argo_cd.install()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        server = ApiServer(ClusterAccess(self.api.kubeconfig))
        cluster = KubernetesCluster(server, "local", "argocd")
        self.worker = ClusterWorker(
            self.repository,
            self.head.advance,
            cluster,
            self.status,
            "local",
            lambda: self.clock,
        )
        task = asyncio.create_task(cluster.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await server.close()

    def put(self, files: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Put intents on main."""
        commit(self.repository, {path: intent(path, spec) if spec else None for path, spec in files.items()})

    def serve(self, live: Sequence[Mapping[str, Any]], asked: Mapping[str, Any] = V1) -> None:
        """Put a deployment and its Rollout on main."""
        target = {**small_specs()[DEPLOYMENT], "versions": [dict(asked)]}
        self.put({DEPLOYMENT: target, ROLLOUT: {"of": "0" * 40, "live": [dict(each) for each in live]}})

    def render(self, path: str, manifest: Mapping[str, Any] | None) -> None:
        """Put a manifest on the rendered branch, past the hydrator."""
        ref = rendered_ref("local")
        head = self.repository.head(ref)
        new = NewCommit(PLATFORM, PLATFORM, NOON, "by hand\n", {path: to_yaml(dict(manifest)) if manifest else None})
        (made,) = self.repository.append("by-hand", head, [new])
        self.repository.move(ref, head, made)

    async def turn(self) -> None:
        """Let everybody have a look."""
        await self.hydrator.turn()
        await self.look()

    async def look(self) -> None:
        """Let everybody but the hydrator have a look."""
        try:
            await self.worker.turn()
        except Exception as error:  # noqa: BLE001 - the loop would say it and go on
            self.said = str(error)
        for each in (self.argo_cd, self.kserve, self.gateway):
            await asyncio.to_thread(each.look)
        await asyncio.sleep(0.01)

    async def until(self, holds: Callable[[], bool], hydrated: bool = True) -> None:
        """Go on until something holds."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                await (self.turn() if hydrated else self.look())

    def wait(self, duration: timedelta) -> None:
        self.clock += duration

    def condition(self, kind: str) -> Condition | None:
        return self.status.conditions.get(("scoring", kind))

    def says(self, kind: str, reason: str) -> Callable[[], bool]:
        return lambda: (found := self.condition(kind)) is not None and found.reason == reason

    def message(self, kind: str) -> str:
        found = self.condition(kind)
        return found.message if found else ""

    def is_ready(self) -> bool:
        ready, served = self.condition("Ready"), self.status.served_now.get(KEY)
        blob = self.repository.read(self.repository.head() or "", ROLLOUT)
        return bool(ready and ready.status and served and blob and served.rollout_blob == _blob_id(blob))


def _blob_id(body: bytes) -> str:
    from intents.writing import blob_id  # noqa: PLC0415 - of this one helper

    return blob_id(body)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    repository = GitRepository.create(tmp_path / "state.git")
    specs = {path: spec for path, spec in small_specs().items() if path not in {DEPLOYMENT, ROLLOUT}}
    there = {"argocd": {"repoURL": "https://git.example/r.git"}, "kfp": {"endpoint": "https://kfp.example/"}}
    specs[CLUSTER] = {"driver": "kubernetes", "kubernetes": there}
    commit(repository, {path: intent(path, spec) for path, spec in specs.items()}, "Seed")
    with KubernetesDouble(tmp_path) as api:
        made = World(repository, api)
        async with made.working():
            yield made


FIRST = [{**V1, "weight": 100}]
BEFORE_READY = [{**V1, "weight": 100}, {**V2, "weight": 0}]
MOVED = [{**V1, "weight": 0}, {**V2, "weight": 100}]


async def test_a_deployment_becomes_ready_by_what_is_on_the_cluster(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    served = world.status.served_now[KEY]
    assert served.routed
    assert served.versions[0].state is ServerState.READY
    assert "all serving s3://models/acme/fraud/fraud/" in served.versions[0].proof
    assert world.condition("Applied") is not None
    route = world.api.get("HTTPRoute", SPACE, "scoring")
    assert route is not None
    assert world.message("Applied") == f"rollout {route['metadata']['annotations']['ordain.dev/rollout-blob'][:12]}"


async def test_only_what_changed_is_asked_for(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.api.asked.clear()
    world.serve(BEFORE_READY, V2)
    await world.until(lambda: world.is_ready() and len(world.status.served_now[KEY].versions) == 2)
    for _ in range(3):
        await world.turn()
    patched = [path.rpartition("/")[2] for method, path in world.api.asked if method == "PATCH"]
    assert patched == ["local-acme--fraud"]


async def test_a_version_is_ready_only_when_its_own_pods_are_there(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.kserve.pods_come = False
    world.serve(BEFORE_READY, V2)
    await world.until(lambda: len(world.status.served_now[KEY].versions) == 2 and world.is_ready())
    one, two = world.status.served_now[KEY].versions
    assert (one.state, two.state) == (ServerState.READY, ServerState.STARTING)
    world.kserve.pods_come = True
    await world.until(lambda: world.status.served_now[KEY].versions[1].state is ServerState.READY)


async def test_other_bytes_under_a_ready_service_are_not_ready_before_its_pods_are(world: World) -> None:
    """During a change KServe goes on saying Ready, of the bytes before."""
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.kserve.pods_come = False
    world.serve([{**V2, "name": "v1", "weight": 100}], {**V2, "name": "v1"})
    await world.until(lambda: world.status.served_now[KEY].versions[0].model == "fraud@2")
    await world.until(world.says("Applied", "Synced"))
    assert not world.is_ready()
    assert "older template" in world.message("Ready")
    world.kserve.pods_come = True
    await world.until(world.is_ready)


async def test_a_version_is_drained_when_no_request_can_be_left(world: World) -> None:
    world.serve(BEFORE_READY, V2)
    await world.until(world.is_ready)
    world.serve(MOVED, V2)
    await world.until(lambda: world.is_ready() and world.status.served_now[KEY].versions[0].weight == 0)
    assert world.status.served_now[KEY].versions[0].active_requests is None
    world.wait(timedelta(seconds=5) + DRAIN_MARGIN)
    await world.until(lambda: world.status.served_now[KEY].versions[0].active_requests == 0)


async def test_the_replace_walk_runs_on_what_is_observed(world: World) -> None:
    """By the same decisions as on one machine."""
    world.put({DEPLOYMENT: {**small_specs()[DEPLOYMENT], "versions": [V1]}})
    weights: list[list[tuple[str, int]]] = []
    for asked in (V1, V2):
        world.put({DEPLOYMENT: {**small_specs()[DEPLOYMENT], "versions": [asked]}})
        while await _step(world):
            await world.until(world.is_ready)
            world.wait(timedelta(seconds=5) + DRAIN_MARGIN)
            await world.until(lambda: all(each.active_requests == 0 for each in world.status.served_now[KEY].versions))
            route = world.api.get("HTTPRoute", SPACE, "scoring")
            assert route is not None
            backends = route["spec"]["rules"][0]["backendRefs"]
            weights.append([(each["name"].split("-")[1], each["weight"]) for each in backends])
    assert weights == [
        [("v1", 100)],
        [("v1", 100), ("v2", 0)],
        [("v1", 0), ("v2", 100)],
        [("v2", 100)],
    ]
    await world.until(lambda: world.api.get("InferenceService", SPACE, "scoring-v1") is None)


async def _step(world: World) -> bool:
    """Commit the next step of the walk; return whether there was one."""
    tree = await world.head.advance()
    asked, rollout = tree.deployment(*KEY), tree.rollout(*KEY)
    assert asked is not None
    served = world.status.served_now.get(KEY)
    current = served if rollout and served and served.rollout_blob == rollout.blob else None
    step = next_step(asked.spec, asked.blob, rollout.spec if rollout else None, current)
    if step is None:
        return False
    world.put({ROLLOUT: step.rollout.model_dump(mode="json", by_alias=True, exclude_none=True)})
    return True


async def test_a_deployment_that_is_removed_leaves_nothing(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.put({DEPLOYMENT: None, ROLLOUT: None})
    await world.until(lambda: not world.api.listed("InferenceService") and not world.status.served_now)
    await world.until(lambda: not world.api.listed("Deployment"))
    assert world.status.conditions == {}


# What is in the way


async def test_a_manifest_for_anothers_namespace_is_shown_at_whoever_it_holds_up(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    evil = world.api.get("InferenceService", SPACE, "scoring-v1")
    assert evil is not None
    foreign = {**evil, "metadata": {**evil["metadata"], "name": "evil", "namespace": "globex--churn"}}
    foreign["metadata"]["labels"] = {}
    await world.hydrator.turn()
    world.render("acme/fraud/inferenceservice-evil.yaml", foreign)
    world.serve(BEFORE_READY, V2)
    # The hydrator would take it away, so it stays out of the way, as whoever wrote it would have to bring about.
    world.render("acme/fraud/inferenceservice-scoring-v2.yaml", {**evil, "metadata": {**evil["metadata"], "name": "x"}})
    await world.until(world.says("Applied", "HeldUp"), hydrated=False)
    assert "InferenceService globex--churn/evil" in world.message("Applied")
    assert "the namespace globex--churn is fenced off: the AppProject local-acme" in world.message("Applied")


async def test_a_refused_manifest_is_named_with_its_path(world: World) -> None:
    webhook = "inferenceservice.kserve-webhook-server.validator"
    world.argo_cd.refusals["InferenceService/scoring-v1"] = (
        f'admission webhook "{webhook}" denied the request: not like this'
    )
    world.serve(FIRST)
    await world.until(world.says("Applied", "SyncFailed"))
    path = "acme/fraud/inferenceservice-scoring-v1.yaml"
    assert world.message("Applied") == f"{path}: the webhook {webhook} refuses it: not like this"
    world.argo_cd.refusals.clear()
    world.wait(timedelta(seconds=60))
    await world.until(world.is_ready)


async def test_a_branch_that_argo_cd_cannot_read_is_said_and_recovers(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.argo_cd.is_unreadable = True
    world.serve(BEFORE_READY, V2)
    await world.until(world.says("Applied", "ComparisonFailed"))
    assert world.message("Applied").startswith("local-acme--fraud: Argo CD cannot read the rendered branch: dial tcp")
    world.argo_cd.is_unreadable = False
    world.wait(timedelta(seconds=60))
    await world.until(lambda: world.is_ready() and len(world.status.served_now[KEY].versions) == 2)


async def test_no_application_says_why_none_is_made(world: World) -> None:
    world.argo_cd.is_unreadable = True
    world.serve(FIRST)
    await world.until(world.says("Applied", "NoApplication"))
    assert "ApplicationSet local-" in world.message("Applied")


async def test_a_silent_argo_cd_is_said_once_and_recovers(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.argo_cd.runs = False
    world.serve(BEFORE_READY, V2)
    await world.until(world.says("Applied", "Syncing"))
    for _ in range(5):
        await world.turn()
    world.wait(SILENT_AFTER)
    await world.until(world.says("Applied", "Silent"))
    assert "does Argo CD run?" in world.message("Applied")
    said = len(world.status.changes)
    for _ in range(3):
        world.wait(timedelta(seconds=1))
        await world.turn()
    assert len(world.status.changes) == said
    world.argo_cd.runs = True
    await world.until(lambda: world.is_ready() and len(world.status.served_now[KEY].versions) == 2)


async def test_a_sync_that_begins_takes_nothing_back(world: World) -> None:
    """For a moment its revision is the name of the branch."""
    world.serve(FIRST)
    await world.until(world.is_ready)
    said = list(world.status.changes)
    (application,) = [each for each in world.api.listed("Application") if each["metadata"]["name"].endswith("fraud")]
    begun = {"phase": "Running", "syncResult": {"revision": rendered_ref("local")}}
    status = {"operationState": begun, "sync": {"status": "OutOfSync", "revision": "0" * 40}}
    world.argo_cd.runs = False
    world.api.put(application | {"status": status})
    for _ in range(20):
        await world.turn()
    assert world.status.changes == said
    world.argo_cd.runs = True
    await world.until(world.is_ready)


async def test_what_kserve_says_is_shown(world: World) -> None:
    world.kserve.pods_come = False
    world.kserve.words["scoring-v1"] = (
        'admission webhook "inferenceservice.kserve-webhook-server.pod-mutator" denied the request: '
        'secrets "ordain-object-store" not found'
    )
    world.serve(FIRST)
    await world.until(lambda: "ordain-object-store" in world.message("Ready"))
    assert 'pod-mutator refuses it: secrets "ordain-object-store" not found' in world.message("Ready")


async def test_a_pod_that_finds_no_node_says_what_it_lacks(world: World) -> None:
    world.kserve.pods_come = False
    world.serve(FIRST)
    await world.until(world.says("Applied", "Synced"))
    why = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
    world.api.put(_pod(world, {"phase": "Pending", "conditions": [scheduled]}))
    await world.until(lambda: why in world.message("Ready"))
    assert world.says("Ready", "Starting")()
    assert world.message("Ready") == f"v1: 0 of 1 pods are available: Pending: {why}"


async def test_what_is_broken_for_a_moment_is_not_called_failed(world: World) -> None:
    world.kserve.pods_come = False
    world.serve(FIRST)
    await world.until(world.says("Applied", "Synced"))
    waiting = {"name": "kserve-container", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    world.api.put(_pod(world, {"phase": "Running", "containerStatuses": [waiting]}))
    await world.until(lambda: "CrashLoopBackOff" in world.message("Ready"))
    assert world.says("Ready", "Starting")()
    world.wait(FAILED_AFTER)
    await world.until(world.says("Ready", "Failed"))


async def test_what_a_person_changed_by_hand_is_put_back_and_shown(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.api.patch("InferenceService", SPACE, "scoring-v1", {"spec": {"predictor": {"maxReplicas": 9}}})
    world.argo_cd.heal("InferenceService", SPACE, "scoring-v1")
    await world.until(lambda: "had been changed on the cluster" in world.message("Applied"))
    assert "InferenceService scoring-v1" in world.message("Applied")
    assert world.is_ready()


async def test_a_gateway_that_refuses_the_route_keeps_it_from_ready(world: World) -> None:
    world.gateway.refusal = "no listener takes routes of this namespace"
    world.serve(FIRST)
    await world.until(world.says("Applied", "Synced"))
    await world.until(lambda: "no listener takes routes" in world.message("Ready"))
    assert not world.is_ready()


async def test_a_cluster_out_of_sight_is_said_at_every_deployment(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    world.api.down = True
    world.api.cut()
    for _ in range(30):
        await world.look()
    assert world.condition("Observed") is None
    world.wait(AWAY_AFTER)
    await world.until(world.says("Observed", "ClusterAway"), hydrated=False)
    assert world.is_ready(), "what was seen last stays"
    world.api.down = False
    await world.until(world.says("Observed", "Watched"), hydrated=False)


async def test_a_successor_comes_to_the_same(world: World) -> None:
    world.serve(FIRST)
    await world.until(world.is_ready)
    before = dict(world.status.served_now)
    world.status = Status()
    world.api.asked.clear()
    async with world.working():
        await world.until(lambda: bool(world.status.served_now), hydrated=False)
        await world.until(world.is_ready, hydrated=False)
    assert world.status.served_now == before
    assert not [path for method, path in world.api.asked if method == "PATCH"], "nothing has to be looked at"


def _pod(world: World, status: dict[str, Any]) -> dict[str, Any]:
    deployment = world.api.get("Deployment", SPACE, "scoring-v1-predictor")
    assert deployment is not None
    template = deployment["spec"]["template"]["metadata"]
    return {"kind": "Pod", "metadata": {**template, "name": "one", "namespace": SPACE}, "spec": {}, "status": status}
