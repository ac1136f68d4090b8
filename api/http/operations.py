"""Operations: health, readiness, and what runs where."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from api.http.caller import CallerDep
from api.http.context import context_of
from api.http.writes import ContextDep

router = APIRouter(tags=["operations"])
HEALTH_TENANT = ""


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process serves requests."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request, response: Response) -> dict[str, str]:
    """Say whether requests can be answered: the tree is loaded and the ledger answers."""
    context = context_of(request)
    await context.head.advance()
    if context.head.commit is None:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return {"status": "the repository has no main yet"}
    await context.reads(HEALTH_TENANT).newest_events(1)
    return {"status": "ready", "commit": context.head.commit}


@router.get("/api/v1/status")
async def status(context: ContextDep, caller: CallerDep) -> dict[str, Any]:
    """Return every part of the platform with its health, and the tenant's own model servers."""
    return await context.platform_status.of_tenant(caller.tenant)
