"""The run loops of reconcilers on a KFP server, with runs put straight into the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from intents.tree import Tree
from reconciler.drivers.kubernetes.kfp_api import KfpApi
from reconciler.drivers.kubernetes.kfp_pipelines import KfpPipelines
from reconciler.drivers.kubernetes.workflows import KubernetesWorkflows
from reconciler.planning.runs import RunRow, RunState, RunUid
from reconciler.ports.objects import Objects
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.workers import run_orchestrator, run_sweep, run_watch
from reconciler.workers.loop import Wake, run_loop
from reconciler.workers.run_orchestrator import RunOrchestrator
from reconciler.workers.run_sweep import RunSweep
from reconciler.workers.run_watch import RunWatch
from tests.support.kfp_world import CLUSTER_NAME, PlainServer, tree_with

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"hello": ROOT / "templates/hello/1.0.0/pipeline.yaml"}
NAMESPACE = UUID(int=6)


class Pace(NamedTuple):
    """How long idle loops wait, in seconds."""

    orchestrator: float
    watch: float
    sweep: float


QUICK = Pace(0.05, 0.05, 0.05)
AS_ON_A_PLATFORM = Pace(run_orchestrator.LOOK_AGAIN_SECONDS, run_watch.SWEEP_SECONDS, run_sweep.SWEEP_SECONDS)


def asked(name: str, **changes: Any) -> RunRow:
    """Return the ledger's row of a run of `hello`."""
    path = f"tenants/acme/projects/fraud/runs/2026-11-23/{name}.yaml"
    fields: dict[str, Any] = {
        "uid": RunUid(uuid5(NAMESPACE, path)),
        "attempt": 1,
        "tenant": "acme",
        "project": "fraud",
        "name": name,
        "path": path,
        "commit": "c" * 40,
        "template": "hello@1.0.0",
        "parameters": {"echo": name},
        "register_model": "",
        "register_output": "",
        "cancelled": False,
        "state": RunState.CREATED,
        "fence": 0,
    }
    return RunRow(**{**fields, **changes})


class OnePackage:
    """The Catalog port with one package in it."""

    def __init__(self) -> None:
        self._package = PACKAGES["hello"].read_bytes()

    async def package(self, tenant: str, template: str, commit: str) -> bytes:
        return self._package


def roomy_tree() -> Tree:
    """Return the tree, its project with room for every run."""
    return tree_with(PACKAGES, {"quota": {"concurrentRuns": 10_000}})


@dataclass
class Reconciler:
    """One reconciler's run loops, on connections of its own."""

    database: Database
    engine: KfpPipelines
    objects: Objects
    tree: Tree
    reached: Callable[[str], None] = lambda _: None

    def loops(
        self, orchestrators: int, *, sweeps: bool = True, pace: Pace = QUICK
    ) -> Sequence[Coroutine[Any, Any, None]]:
        """Return its loops, to be run."""
        ledger = LedgerRuns(self.database)
        orchestrator = RunOrchestrator(
            ledger, self.engine, OnePackage(), self.objects, LedgerQueue(self.database), self._advance, self.reached
        )
        turns = [
            (f"run-orchestrator-{number}", orchestrator.turn, pace.orchestrator) for number in range(orchestrators)
        ]
        if sweeps:
            turns.append(("run-watch", RunWatch(ledger, self.engine).turn, pace.watch))
            turns.append(("run-sweep", RunSweep(ledger, self.engine).turn, pace.sweep))
        return [run_loop(name, turn, Wake(), sweep=seconds) for name, turn, seconds in turns]

    async def _advance(self) -> Tree:
        return self.tree


@asynccontextmanager
async def reconciler_on(
    address: str, dsn: str, objects: Objects, reached: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Reconciler]:
    """Open a reconciler's connections to a KFP server, which answers for Kubernetes too, and to a ledger."""
    tree, database = roomy_tree(), Database(dsn)
    await database.open()
    server = PlainServer(address)
    engine = KfpPipelines(KfpApi(address), KubernetesWorkflows(server), objects, lambda: tree, CLUSTER_NAME)
    try:
        yield Reconciler(database, engine, objects, tree, reached)
    finally:
        engine.close()
        await server.close()
        await database.close()


@asynccontextmanager
async def running(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run loops beside the body, and end them with it."""
    tasks = [asyncio.create_task(each) for each in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
