"""The composition root: the one place that names stores and drivers and puts the processes together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

from api.http.app import create_app
from api.http.context import ApiContext
from intents.tree import Tree
from reconciler.drivers.catalog import ApiCatalog
from reconciler.drivers.local.edge import EdgePerson, EnvoyEdge
from reconciler.drivers.local.pipelines import LocalPipelines
from reconciler.drivers.local.triton import LocalModelServers
from reconciler.ports.repository import Signature
from reconciler.services.embedded import embedded_parts
from reconciler.services.layout import Layout
from reconciler.services.own import own_processes
from reconciler.services.part import Part
from reconciler.services.readiness import keep_announcing
from reconciler.services.settings import PostgresRole, Settings
from reconciler.services.status import collect
from reconciler.stores.bus import JetStreamBus
from reconciler.stores.git import GitRepository
from reconciler.stores.ledger.database import Database, migrate
from reconciler.stores.ledger.events import LedgerOutbox
from reconciler.stores.ledger.reads import LedgerArrivals, LedgerReads
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.stores.ledger.status import LedgerLeases, LedgerStatus
from reconciler.stores.objects.s3 import S3Access, S3Objects
from reconciler.workers.deployment_worker import DeploymentWorker
from reconciler.workers.hydrator import Hydrator
from reconciler.workers.loop import LoopLease, Turn, Wake, run_loop, wake_on
from reconciler.workers.publisher import Publisher
from reconciler.workers.rollout_controller import RolloutController
from reconciler.workers.run_cursor import RunCursor
from reconciler.workers.run_orchestrator import RunOrchestrator
from reconciler.workers.seeding import seed
from reconciler.workers.tree_at_head import TreeAtHead, advanced
from reconciler.workers.writer import Writer

PLATFORM = Signature("ordain", "ordain@localhost")
DEMO_PERSON = EdgePerson(user="local@localhost", email="local@localhost", groups=())
"""Whom the demo edge names: it authenticates nobody, and says so at start."""
CLUSTER = "local"
SEEDED_FOLDERS = ("platform", "tenants", "templates")
ORCHESTRATORS = 4
"""Runs taken a step further at once by one process; a step is mostly waiting."""
SERVING_SWEEP_SECONDS = 0.5


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def environments() -> Path:
    """Return the folder of the three environments: the one this program's own lies in."""
    return Path(sys.prefix).parent


async def platform_parts(settings: Settings) -> Sequence[Part]:
    """Return every process of the platform at a root, its state repository made and seeded."""
    await asyncio.to_thread(prepare_repository, settings.layout)
    owner = settings.postgres_dsn(PostgresRole.OWNER)

    async def migrated() -> None:
        await migrate(owner)

    def command(name: str) -> Sequence[str]:
        return (sys.executable, "-m", "api.main", "process", name, "--root", str(settings.layout.root))

    return (*await embedded_parts(settings, migrated), *own_processes(settings.layout, command))


def prepare_repository(layout: Layout) -> None:
    """Make the state repository where there is none, and its first commit from the root's folders."""
    repository = (
        GitRepository(layout.repository) if layout.repository.exists() else GitRepository.create(layout.repository)
    )
    if repository.head() is None:
        seed(repository, dict(_seed_files(layout.root)), uuid4(), PLATFORM, now())


def _seed_files(root: Path) -> Iterator[tuple[str, bytes]]:
    for folder in SEEDED_FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.parent != root / "templates":
                yield file.relative_to(root).as_posix(), file.read_bytes()


@dataclass
class Process:
    """What every process of the platform stands on."""

    settings: Settings
    repository: GitRepository
    head: TreeAtHead
    database: Database

    @classmethod
    def of(cls, settings: Settings, role: PostgresRole) -> Process:
        """Open what a process with this role in the ledger needs."""
        repository = GitRepository(settings.layout.repository)
        return cls(settings, repository, TreeAtHead(repository), Database(settings.postgres_dsn(role)))

    @property
    def objects(self) -> S3Objects:
        """Object storage, as the platform itself."""
        settings = self.settings
        return S3Objects(S3Access(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key))

    def pipelines(self) -> LocalPipelines:
        """The KFP local runner."""
        tasks_python = environments() / ".venv-tasks" / "bin" / "python"
        return LocalPipelines(self.settings.layout.processes, tasks_python, self.objects)


async def serve_api(settings: Settings) -> None:
    """Serve HTTP on the unix socket until SIGTERM."""
    process = Process.of(settings, PostgresRole.API)
    context = ApiContext(
        head=process.head,
        repository=process.repository,
        queue=lambda tenant: LedgerQueue(process.database, tenant),
        reads=lambda tenant: LedgerReads(process.database, tenant),
        pipelines=process.pipelines(),
        objects=process.objects,
        platform_status=lambda: collect(settings.layout).to_document(),
        now=now,
        new_id=uuid4,
    )
    arrivals = LedgerArrivals(process.database)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await process.database.open()
        async with background(wake_on(arrivals.answers, context.answered), wake_on(arrivals.events, context.happened)):
            yield
        await process.database.close()

    config = uvicorn.Config(
        create_app(context, lifespan),
        uds=str(settings.api_socket),
        log_level="warning",
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve()


async def run_writer(settings: Settings) -> None:
    """Move main, one writer at a time, until SIGTERM."""
    process = Process.of(settings, PostgresRole.WORKER)
    queue, wake = LedgerQueue(process.database), Wake()
    writer = Writer(process.repository, queue, PLATFORM, now)
    await process.database.open()
    await until_told(
        run_loop("writer", lambda: writer.serve(wake), wake),
        wake_on(queue.arrivals, wake),
        keep_announcing(settings.layout.ready / "writer"),
    )
    await process.database.close()


async def run_reconciler(settings: Settings) -> None:
    """Run every loop until SIGTERM."""
    process = Process.of(settings, PostgresRole.WORKER)
    await process.database.open()
    tree = await process.head.advance()
    outbox, bus = LedgerOutbox(process.database), JetStreamBus(settings.nats_url)
    status, queue = LedgerStatus(process.database), LedgerQueue(process.database)
    runs = LedgerRuns(process.database)
    catalog = ApiCatalog(settings.api_socket, lambda: process.head.tree.platform.base_domain)
    triton_python = environments() / ".venv-triton" / "bin" / "python"
    servers = LocalModelServers(settings.layout.processes, triton_python, process.objects)
    edge = EnvoyEdge(
        settings.layout.envoy_rds,
        settings.layout.envoy_cds,
        settings.envoy_admin_socket,
        settings.api_socket,
        DEMO_PERSON,
    )
    cursor = RunCursor(process.repository, runs, tree.platform.repository.uid)
    orchestrator = RunOrchestrator(
        runs, process.pipelines(), catalog, process.objects, queue, lambda: process.head.tree
    )
    hydrator = Hydrator(process.repository, process.head, status, CLUSTER, PLATFORM, now)
    serving = DeploymentWorker(process.repository, process.head.advance, servers, edge, status, CLUSTER)
    rollouts = RolloutController(process.head.advance, status, queue, uuid4)
    loops = Loops(LedgerLeases(process.database), f"{socket.gethostname()}-{os.getpid()}")
    await until_told(
        loops.alone("run-cursor", cursor.turn),
        *(loops.beside("run-orchestrator", orchestrator.turn) for _ in range(ORCHESTRATORS)),
        loops.alone("hydrator", hydrator.turn),
        loops.alone("deployments", serving.turn, sweep=SERVING_SWEEP_SECONDS),
        loops.alone("rollouts", rollouts.turn),
        loops.alone("publisher", Publisher(outbox, bus).turn),
        wake_on(lambda: process.database.listen("ordain_head"), *loops.wakes("run-cursor", "hydrator", "rollouts")),
        wake_on(outbox.hints, *loops.wakes("publisher")),
        wake_on(lambda: bus.hints("run-orchestrator", "ordain.*.*.run.*"), *loops.wakes("run-orchestrator")),
        wake_on(
            lambda: bus.hints("deployments", "ordain.*.*.deployment.*"),
            *loops.wakes("deployments", "rollouts"),
        ),
        keep_announcing(settings.layout.ready / "reconciler"),
    )
    await bus.close()
    await catalog.close()
    await process.database.close()


class Loops:
    """The loops of one process and their wake-ups, by name."""

    def __init__(self, leases: LedgerLeases, holder: str) -> None:
        """Hold leases as `holder`."""
        self._leases = leases
        self._holder = holder
        self._wakes: dict[str, list[Wake]] = {}

    def alone(self, name: str, turn: Turn, **pace: float) -> Coroutine[Any, Any, None]:
        """Return a loop that runs in one process at a time."""
        return run_loop(name, turn, self._wake(name), lease=LoopLease(self._leases, name, self._holder), **pace)

    def beside(self, name: str, turn: Turn) -> Coroutine[Any, Any, None]:
        """Return a loop that may run any number of times at once."""
        return run_loop(name, turn, self._wake(name))

    def wakes(self, *names: str) -> list[Wake]:
        """Return the wake-ups of loops."""
        return [wake for name in names for wake in self._wakes[name]]

    def _wake(self, name: str) -> Wake:
        wake = Wake()
        self._wakes.setdefault(name, []).append(wake)
        return wake


async def until_told(*tasks: Coroutine[Any, Any, None]) -> None:
    """Run the tasks until SIGTERM or SIGINT; the first that fails ends them all, and is raised."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with background(*tasks) as running:
        stopped = asyncio.create_task(_wait(stop))
        done, _ = await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            task.result()


@asynccontextmanager
async def background(*tasks: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run tasks beside the body and cancel them after it."""
    running = [asyncio.create_task(task) for task in tasks]
    try:
        yield running
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def tree_at_head(layout: Layout) -> Tree:
    """Return the tree at the head of a root's state repository."""
    repository = GitRepository(layout.repository)
    return advanced(repository, Tree.empty(), None, repository.head() or "")
