"""What `ordain rebuild` and `ordain adopt` work with: the parts of a platform that is up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.composition.engines import objects
from api.composition.process import Process
from api.composition.remotes import Remotes, home_address
from reconciler.services.settings import PostgresRole, Settings
from reconciler.stores.ledger.anew import PostgresAnew
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.runs import LedgerRuns
from reconciler.workers.home_branch import HomeBranch
from reconciler.workers.past_runs import PastRuns
from reconciler.workers.rebuild import Rebuild


@asynccontextmanager
async def rebuilding(settings: Settings) -> AsyncIterator[Rebuild]:
    """Lend what the commands work with."""
    process = Process.of(settings, PostgresRole.WORKER)
    await process.database.open()
    try:
        tree = await process.head.advance()
        ledger = PostgresAnew(process.database)
        past = PastRuns(process.repository, ledger, objects(settings), tree.platform.repository.uid)
        queue = LedgerQueue(process.database)
        address = home_address(tree)
        home = address and HomeBranch(process.repository, Remotes(settings.layout).git(address))
        yield Rebuild(process.repository, ledger, queue, LedgerRuns(process.database), past, home or None)
    finally:
        await process.database.close()
