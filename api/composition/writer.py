"""The process `writer`."""

from __future__ import annotations

from api.composition.process import PLATFORM, Process, now, until_told
from api.composition.remotes import Homes, Remotes
from reconciler.services.readiness import keep_announcing
from reconciler.services.settings import PostgresRole, Settings
from reconciler.stores.ledger.remotes import LedgerRemotes
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers.loop import Wake, run_loop, wake_on
from reconciler.workers.writer import Writer


async def run_writer(settings: Settings) -> None:
    """Move main, one writer at a time, until SIGTERM."""
    process = Process.of(settings, PostgresRole.WORKER)
    queue, wake = LedgerQueue(process.database), Wake()
    ledger = LedgerRemotes(process.database)
    homes = Homes(process.repository, ledger, Remotes(settings.layout))
    writer = Writer(process.repository, queue, PLATFORM, now, home=homes)
    await process.database.open()
    await until_told(
        run_loop("writer", lambda: writer.serve(wake), wake),
        wake_on(queue.arrivals, wake),
        wake_on(ledger.hints, homes.look, wake),
        keep_announcing(settings.layout.ready / "writer"),
    )
    await process.database.close()
