"""A reconciler's run loops as a process that meets its end, forked from one that has imported all it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.drivers.local.pipelines import LocalPipelines
from reconciler.drivers.local.run_folder import RunFolder
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger import runs
from reconciler.stores.ledger.anew import PostgresAnew
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.stores.objects.s3 import S3Access, S3Objects
from reconciler.workers import run_orchestrator
from reconciler.workers.loop import Wake, run_loop
from reconciler.workers.past_runs import PastRuns
from reconciler.workers.run_cursor import RunCursor
from reconciler.workers.run_orchestrator import RunOrchestrator
from reconciler.workers.run_sweep import RunSweep
from reconciler.workers.tree_at_head import TreeAtHead
from tests.support.repositories import PACKAGE

# A killed orchestrator's run is taken up again sooner than on a platform, and a slow step loses its lease.
LEASE_SECONDS = 1.0
SWEEP_SECONDS = 0.05
RUN_SWEEP_SECONDS = 0.5
QUICK_TASKS = Path(__file__).with_name("quick_tasks.py")

ACTIONS = ("Claim", "Submit", "Record", "Register", "AwaitRegistration", "Finish", "Cancel")
# Points between two steps inside an action: it dies when the named function is called.
INSIDE: dict[str, tuple[object, str]] = {
    "submit-prepared": (LocalPipelines, "_spawn"),
    "submit-spawned": (RunFolder, "claim"),
    "upload-done": (RunFolder, "mark_uploaded"),
    "register-stored": (run_orchestrator, "model_version_request"),
    "forget-begun": (RunFolder, "remove"),
}
POINTS = (
    *(f"{when}-{action}" for action in ACTIONS for when in ("before", "after")),
    "begun",
    "after-terminal-record",
    "after-record",
    *INSIDE,
)


@dataclass(frozen=True)
class Place:
    """What outlives every orchestrator."""

    repository: Path
    dsn: str
    engine: Path
    """Folder of the local engine: `proc/`, and `executed`, a line for each time a run's task was begun."""
    s3: S3Access

    @property
    def proc_dir(self) -> Path:
        return self.engine / "proc"

    @property
    def log(self) -> Path:
        return self.engine / "log"

    @property
    def tasks_python(self) -> Path:
        return self.engine / "python"

    @property
    def paused(self) -> Path:
        return self.engine / "paused"

    def lay_out(self) -> None:
        self.proc_dir.mkdir(parents=True)
        # Called as `python -I run_child.py <folder> <token> …`.
        self.tasks_python.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {QUICK_TASKS} "$2" "$3" "$4"\n')
        self.tasks_python.chmod(0o755)


class RepositoryCatalog:
    """The one package there is."""

    async def package(self, tenant: str, template: str, commit: str) -> bytes:
        return PACKAGE


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def serve(place: Place, point: str, *, orchestrators: int, stops: bool) -> None:
    """Be that process; at the point it dies, or else is stopped, once, and says so."""
    logging.basicConfig(filename=place.log, level=logging.INFO)
    runs.LEASE_SECONDS = LEASE_SECONDS
    if point in INSIDE:
        owner, name = INSIDE[point]
        setattr(owner, name, die)
    asyncio.run(_serve(place, orchestrators, _at(point, place.paused if stops else None)))


def _at(point: str, paused: Path | None) -> Callable[[str], None]:
    def reached(name: str) -> None:
        if name != point:
            return
        if paused is None:
            die()
        elif not paused.exists():
            paused.touch()
            os.kill(os.getpid(), signal.SIGSTOP)

    return reached


async def _serve(place: Place, orchestrators: int, reached: Callable[[str], None]) -> None:
    database, repository = Database(place.dsn), GitRepository(place.repository)
    await database.open()
    head, ledger, objects = TreeAtHead(repository), LedgerRuns(database), S3Objects(place.s3)
    engine = LocalPipelines(place.proc_dir, place.tasks_python, objects, hidden=[])
    queue = LedgerQueue(database)
    orchestrator = RunOrchestrator(ledger, engine, RepositoryCatalog(), objects, queue, head.advance, reached)
    sweep = RunSweep(ledger, engine)
    uid = (await head.advance()).platform.repository.uid
    cursor = RunCursor(repository, ledger, uid, PastRuns(repository, PostgresAnew(database), objects, uid))
    await asyncio.gather(
        run_loop("run-cursor", cursor.turn, Wake(), sweep=SWEEP_SECONDS),
        run_loop("run-sweep", sweep.turn, Wake(), sweep=RUN_SWEEP_SECONDS),
        *(run_loop("run-orchestrator", orchestrator.turn, Wake(), sweep=SWEEP_SECONDS) for _ in range(orchestrators)),
    )
