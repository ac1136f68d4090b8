"""The writer with a forge as home, as a process that meets its end: `python -m tests.crash.home_host REPOSITORY DSN
ADDRESS POINT DEED FOLDER`, the forge's token in ORDAIN_TEST_TOKEN."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from reconciler.stores.git.remote import GitRemote
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.remotes import LedgerRemotes
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers.home import Home
from reconciler.workers.home_branch import HomeBranch
from reconciler.workers.loop import Wake, run_loop, wake_on
from reconciler.workers.writer import Writer
from tests.crash.writer_host import once_at
from tests.support.repositories import PLATFORM


async def main(path: str, dsn: str, address: str, point: str, deed: str, folder: str) -> None:
    database, wake, repository = Database(dsn), Wake(), GitRepository(Path(path))
    queue, reached = LedgerQueue(database), once_at(point, deed, Path(folder))
    await database.open()
    remote = GitRemote(repository.path, address, lambda: os.environ["ORDAIN_TEST_TOKEN"])
    home = Home(HomeBranch(repository, remote, reached), LedgerRemotes(database), time.monotonic)
    writer = Writer(repository, queue, PLATFORM, lambda: datetime.now(UTC), reached, lambda _: home)
    await asyncio.gather(run_loop("writer", lambda: writer.serve(wake), wake), wake_on(queue.arrivals, wake))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(*sys.argv[1:7]))
