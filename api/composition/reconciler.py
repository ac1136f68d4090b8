"""The process `reconciler`: every loop but the writer's."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Coroutine
from typing import Any
from uuid import UUID, uuid4

from api.composition.engines import kubernetes_of, objects, pipelines
from api.composition.process import PLATFORM, Process, now, until_told
from api.composition.remotes import Remotes
from api.composition.serving import serving
from reconciler.drivers.catalog import ApiCatalog
from reconciler.drivers.kubernetes.workflows import KubernetesWorkflows
from reconciler.ports.objects import Objects
from reconciler.services.readiness import keep_announcing
from reconciler.services.settings import PostgresRole, Settings
from reconciler.services.target import Target
from reconciler.stores.bus import JetStreamBus
from reconciler.stores.git.upkeep import GitUpkeep
from reconciler.stores.ledger.anew import PostgresAnew
from reconciler.stores.ledger.events import LedgerOutbox
from reconciler.stores.ledger.remotes import LedgerRemotes
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.stores.ledger.status import LedgerLeases, LedgerStatus
from reconciler.workers.hydrator import Hydrator
from reconciler.workers.loop import SWEEP_SECONDS, LoopLease, Turn, Wake, run_loop, wake_on
from reconciler.workers.main_check import MainCheck
from reconciler.workers.mirror import Mirror
from reconciler.workers.open_changes import OpenChanges
from reconciler.workers.past_runs import PastRuns
from reconciler.workers.publisher import Publisher
from reconciler.workers.pull_requests import PullRequests
from reconciler.workers.request_sweep import SWEEP_SECONDS as REQUEST_SWEEP_SECONDS
from reconciler.workers.request_sweep import RequestSweep
from reconciler.workers.rollout_controller import RolloutController
from reconciler.workers.run_cursor import RunCursor
from reconciler.workers.run_orchestrator import LOOK_AGAIN_SECONDS, RunOrchestrator
from reconciler.workers.run_sweep import SWEEP_SECONDS as RUN_SWEEP_SECONDS
from reconciler.workers.run_sweep import RunSweep
from reconciler.workers.run_watch import SWEEP_SECONDS as RUN_WATCH_SECONDS
from reconciler.workers.run_watch import RunWatch
from reconciler.workers.upkeep import SWEEP_SECONDS as UPKEEP_SWEEP_SECONDS
from reconciler.workers.upkeep import Housekeeper

ORCHESTRATORS = 4
"""Runs taken a step further at once by one process; a step is mostly waiting."""


async def run_reconciler(settings: Settings, target: Target) -> None:
    """Run every loop until SIGTERM."""
    process = Process.of(settings, PostgresRole.WORKER)
    await process.database.open()
    tree = await process.head.advance()
    outbox, bus = LedgerOutbox(process.database), JetStreamBus(settings.nats_url)
    status, queue = LedgerStatus(process.database), LedgerQueue(process.database)
    runs = LedgerRuns(process.database)
    catalog = ApiCatalog(settings.api_socket, lambda: process.head.tree.platform.base_domain)
    storage = objects(settings)
    server = kubernetes_of(tree, target)
    served = serving(process, status, storage, server, target)
    cursor = _run_cursor(process, runs, storage, tree.platform.repository.uid)
    workflows = KubernetesWorkflows(server) if server else None
    engine = pipelines(settings, storage, lambda: process.head.tree, target.cluster, workflows)
    orchestrator = RunOrchestrator(runs, engine, catalog, storage, queue, process.head.advance)
    run_sweep = RunSweep(runs, engine)
    hydrator = Hydrator(process.repository, process.head, status, target.cluster, PLATFORM, now)
    remotes, known = Remotes(settings.layout), LedgerRemotes(process.database)
    mirror = Mirror(process.repository, process.head, known, remotes.git, time.monotonic)
    main_check = MainCheck(process.repository, process.head, remotes.forge)
    pulls = _pull_requests(process, queue, known, remotes)
    rollouts = RolloutController(process.head.advance, status, queue, uuid4)
    loops = Loops(LedgerLeases(process.database), f"{socket.gethostname()}-{os.getpid()}")
    await until_told(
        loops.alone("run-cursor", cursor.turn),
        *(loops.beside("run-orchestrator", orchestrator.turn, sweep=LOOK_AGAIN_SECONDS) for _ in range(ORCHESTRATORS)),
        loops.alone("run-sweep", run_sweep.turn, sweep=RUN_SWEEP_SECONDS),
        loops.alone("run-watch", RunWatch(runs, engine).turn, sweep=RUN_WATCH_SECONDS),
        loops.alone("request-sweep", RequestSweep(queue).turn, sweep=REQUEST_SWEEP_SECONDS),
        loops.alone("hydrator", hydrator.turn),
        loops.alone("upkeep", Housekeeper(GitUpkeep(settings.layout.repository)).turn, sweep=UPKEEP_SWEEP_SECONDS),
        *(loops.alone(name, turn, sweep=sweep) for name, turn, sweep in served.loops),
        *served.beside,
        loops.alone("rollouts", rollouts.turn),
        loops.alone("mirror", mirror.turn),
        loops.alone("main-check", main_check.turn),
        loops.alone("pull-requests", pulls.turn),
        loops.alone("publisher", Publisher(outbox, bus).turn),
        wake_on(
            lambda: process.database.listen("ordain_head"), *loops.wakes("run-cursor", "hydrator", "rollouts", "mirror")
        ),
        wake_on(outbox.hints, *loops.wakes("publisher")),
        wake_on(known.hints, pulls.look, *loops.wakes("pull-requests")),
        wake_on(lambda: bus.hints("pull-requests", "ordain.*.*.change.*"), pulls.look, *loops.wakes("pull-requests")),
        wake_on(lambda: bus.hints("run-orchestrator", "ordain.*.*.run.*"), *loops.wakes("run-orchestrator")),
        wake_on(
            lambda: bus.hints("deployments", "ordain.*.*.deployment.*"),
            *loops.wakes("deployments", "rollouts"),
        ),
        *(wake_on(hints, *loops.wakes("deployments")) for hints in served.hints),
        keep_announcing(settings.layout.ready / "reconciler"),
    )
    if server is not None:
        await server.close()
    await bus.close()
    await catalog.close()
    await process.database.close()


def _run_cursor(process: Process, runs: LedgerRuns, storage: Objects, repository: UUID) -> RunCursor:
    past = PastRuns(process.repository, PostgresAnew(process.database), storage, repository)
    return RunCursor(process.repository, runs, repository, past)


def _pull_requests(process: Process, queue: LedgerQueue, known: LedgerRemotes, remotes: Remotes) -> PullRequests:
    changes = OpenChanges(process.repository)
    return PullRequests(
        process.repository,
        process.head,
        queue,
        queue.changes,
        known,
        remotes.forge,
        remotes.git,
        changes,
        now,
        time.monotonic,
    )


class Loops:
    """The loops of one process and their wake-ups, by name."""

    def __init__(self, leases: LedgerLeases, holder: str) -> None:
        """Hold leases as `holder`."""
        self._leases = leases
        self._holder = holder
        self._wakes: dict[str, list[Wake]] = {}

    def alone(self, name: str, turn: Turn, sweep: float = SWEEP_SECONDS) -> Coroutine[Any, Any, None]:
        """Return a loop that runs in one process at a time."""
        return run_loop(name, turn, self._wake(name), lease=LoopLease(self._leases, name, self._holder), sweep=sweep)

    def beside(self, name: str, turn: Turn, sweep: float = SWEEP_SECONDS) -> Coroutine[Any, Any, None]:
        """Return a loop that may run any number of times at once."""
        return run_loop(name, turn, self._wake(name), sweep=sweep)

    def wakes(self, *names: str) -> list[Wake]:
        """Return the wake-ups of loops."""
        return [wake for name in names for wake in self._wakes[name]]

    def _wake(self, name: str) -> Wake:
        wake = Wake()
        self._wakes.setdefault(name, []).append(wake)
        return wake
