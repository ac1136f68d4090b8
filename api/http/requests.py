"""Requests: what became of a write."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from api.http.caller import CallerDep
from api.http.problems import not_found
from api.http.writes import ContextDep, request_view

router = APIRouter(prefix="/requests", tags=["requests"])


@router.get("/{request}")
async def get_request(context: ContextDep, caller: CallerDep, request: UUID) -> dict[str, Any]:
    """Return the state of one of the tenant's requests."""
    status = await context.queue(caller.tenant).status(request)
    if status is None:
        raise not_found(f"request {request}")
    return request_view(status)
