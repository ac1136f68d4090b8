"""The HTTP application: routes of the API under /api/v1, operations, and the panel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, Depends, FastAPI

from api.http import catalog, deployments, events, models, operations, plan, problems, requests, runs
from api.http.browsers import refuse_foreign_writes
from api.http.caller import TenantInPath
from api.http.context import ApiContext
from api.panel import pages

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(context: ApiContext, lifespan: Lifespan) -> FastAPI:
    """Return the application on `context`; `lifespan` opens and closes what it stands on."""
    app = FastAPI(
        title="ordain",
        version="0.1.0",
        lifespan=lifespan,
        docs_url="/api/docs",
        openapi_url="/api/openapi.json",
    )
    app.state.context = context
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(refuse_foreign_writes)])
    for noun in (catalog, runs, models, deployments, plan, requests, events):
        api.include_router(noun.router)
    app.include_router(api)
    app.include_router(operations.router)
    app.include_router(pages.router)
    problems.install(app)
    app.add_middleware(TenantInPath)
    return app
