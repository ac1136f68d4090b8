"""A reconciler's run loops on KFP as a process that meets its end, forked from one that has imported all it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import kfp_server_api  # noqa: F401 - so that no forked process imports it again

from reconciler.stores.ledger import runs
from reconciler.stores.objects.s3 import S3Access, S3Objects
from reconciler.workers import run_orchestrator
from tests.support.kfp_platform import reconciler_on, running

LEASE_SECONDS = 1.0
"""A killed reconciler's run is taken up again sooner than on a platform."""
POINTS = (
    *(f"{when}-{action}" for action in ("Claim", "Submit", "Record", "Finish") for when in ("before", "after")),
    "begun",
    "after-terminal-record",
    "after-record",
)


@dataclass(frozen=True)
class Place:
    """What outlives every reconciler."""

    kfp: str
    dsn: str
    s3: S3Access
    log: Path


def serve(place: Place, point: str) -> None:
    """Be that process, and die at the point."""
    logging.basicConfig(filename=place.log, level=logging.INFO)
    runs.LEASE_SECONDS = LEASE_SECONDS
    run_orchestrator.UNANSWERED_SECONDS = (0.05, 0.5)

    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(_serve(place, reached))


async def _serve(place: Place, reached: object) -> None:
    assert callable(reached)
    async with (
        reconciler_on(place.kfp, place.dsn, S3Objects(place.s3), reached) as reconciler,
        running(*reconciler.loops(2)),
    ):
        await asyncio.Event().wait()
