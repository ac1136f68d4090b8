"""The process `api`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

from api.composition.engines import objects, pipelines
from api.composition.process import Process, background, now
from api.composition.remotes import Remotes
from api.http.app import create_app
from api.http.context import ApiContext
from api.http.platform_status import PlatformStatus
from reconciler.services.settings import PostgresRole, Settings
from reconciler.services.status import collect
from reconciler.services.target import Target
from reconciler.stores.git.http_backend import GitHttpBackend
from reconciler.stores.ledger.changes import LedgerChanges
from reconciler.stores.ledger.reads import LedgerArrivals, LedgerReads
from reconciler.stores.ledger.remotes import LedgerRemotes
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers.loop import wake_on
from reconciler.workers.open_changes import OpenChanges


async def serve_api(settings: Settings, target: Target) -> None:
    """Serve HTTP on the unix socket until SIGTERM."""
    process = Process.of(settings, PostgresRole.API)
    storage, remotes = objects(settings), LedgerRemotes(process.database)
    await process.head.advance()
    context = ApiContext(
        head=process.head,
        repository=process.repository,
        queue=lambda tenant: LedgerQueue(process.database, tenant),
        changes=lambda tenant: LedgerChanges(process.database, tenant),
        reads=lambda tenant: LedgerReads(process.database, tenant),
        pipelines=pipelines(settings, storage, lambda: process.head.tree, target.cluster),
        objects=storage,
        platform_status=PlatformStatus(lambda: collect(settings.layout).to_document()),
        now=now,
        new_id=uuid4,
        open_changes=OpenChanges(process.repository),
        remotes=remotes,
        webhook_secret=Remotes(settings.layout).webhook_secret,
        hint_forge=remotes.hint,
        git=GitHttpBackend(settings.layout.repository, settings.layout.pushes),
    )
    arrivals = LedgerArrivals(process.database)

    async def told() -> AsyncIterator[str]:
        async for ids in arrivals.answers():
            context.answered(ids)
            yield ids

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await process.database.open()
        async with background(wake_on(told), wake_on(arrivals.events, context.happened)):
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
