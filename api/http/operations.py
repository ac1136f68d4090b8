"""Operations: health, readiness, and what runs where."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.http.caller import CallerDep
from api.http.context import ContextDep, context_of
from api.http.remotes import repository_view
from reconciler.ports.errors import Waiting

router = APIRouter(tags=["operations"])
HEALTH_TENANT = ""


class Health(BaseModel):
    """Whether this process serves."""

    status: str
    commit: str | None = Field(default=None, description="the newest commit of main, once ready")


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process serves requests."""
    return Health(status="ok")


@router.get("/readyz")
async def readyz(request: Request) -> Health:
    """Say whether requests can be answered: the tree is loaded and the ledger answers."""
    context = context_of(request)
    await context.head.advance()
    if context.head.commit is None:
        raise Waiting("the repository has no main yet")
    await context.reads(HEALTH_TENANT).newest_events(1)
    return Health(status="ready", commit=context.head.commit)


@router.get("/api/v1/status")
async def status(context: ContextDep, caller: CallerDep) -> dict[str, Any]:
    """Return every part of the platform with its health, the tenant's own model servers, and where main is."""
    return {
        **await context.platform_status.of_tenant(caller.tenant),
        "repository": await repository_view(context),
    }
