"""Requests: what became of a write."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request

from api.http.caller import ScopeDep
from api.http.commits import reflects
from api.http.conflicts import conflicts
from api.http.context import ContextDep
from api.http.problems import not_found, seen
from api.http.remotes import delivery_of
from api.http.writes import RequestView, write_answer

router = APIRouter(prefix="/requests", tags=["writes"])


@router.get("/{request_id}")
async def get_request(context: ContextDep, caller: ScopeDep, request_id: UUID, request: Request) -> RequestView:
    """Return the state of one of the tenant's requests; of one that was refused, why."""
    status = await context.queue(caller.tenant).status(request_id)
    if status is None:
        raise not_found(f"request {request_id}")
    answer = write_answer(status)
    reflects(request, answer.commit)
    disputed = conflicts(caller.tree, status.writes, (problem.path for problem in status.problems))
    delivery = await delivery_of(context, status)
    return RequestView(
        **answer.model_dump(), **delivery.model_dump(), problems=seen(status.problems), conflicts=disputed
    )
