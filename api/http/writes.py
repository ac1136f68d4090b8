"""From a decided request to its durable row, and to its answer where the caller waits for it."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Response

from api.http.caller import Caller
from api.http.context import ApiContext, context_of
from api.http.problems import Refusal, refusal, refusal_of
from reconciler.planning.writing import Refused, WriteRequest, decide_request
from reconciler.ports.requests import RequestState, RequestStatus

LOOK_AGAIN_SECONDS = 1.0

ContextDep = Annotated[ApiContext, Depends(context_of)]
WaitDep = Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the commit before answering 202.")]


async def submit(
    context: ApiContext, caller: Caller, request: WriteRequest, wait: float, response: Response
) -> dict[str, Any]:
    """Check, make the request durable, and answer: 202 at once, 201 with the commit where the caller waits.

    From the moment the row is written the request is never lost, whatever is answered.
    """
    if caller.principal.is_worker:
        detail = "workers ask through the queue; no person is called ordain-…"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", detail)
    _, decision = decide_request(caller.tree, request)
    if isinstance(decision, Refused):
        raise refusal_of(decision)
    await context.queue(caller.tenant).put(request)
    status = await answered(context, caller.tenant, request.id, wait)
    response.headers["Location"] = f"/api/v1/requests/{request.id}"
    response.status_code = HTTPStatus.ACCEPTED if status.state is RequestState.WAITING else HTTPStatus.CREATED
    return request_view(status)


async def answered(context: ApiContext, tenant: str, request: UUID, wait: float) -> RequestStatus:
    """Return the request's status: as soon as it is answered, at the latest after `wait` seconds.

    Raises the refusal where the writer refused it.
    """
    queue, deadline = context.queue(tenant), time.monotonic() + wait
    while True:
        hint = context.answered.next()
        status = await queue.status(request)
        if status is None:
            raise LookupError(request)
        left = deadline - time.monotonic()
        if status.state is not RequestState.WAITING:
            break
        if left <= 0:
            return status
        await hint.wait(min(left, LOOK_AGAIN_SECONDS))
    if status.state is not RequestState.COMMITTED:
        raise refusal(status.problems, conflict=status.conflict)
    return status


def request_view(status: RequestStatus) -> dict[str, Any]:
    """Return a request as people see it."""
    return {
        "request": str(status.id),
        "state": status.state.value,
        "commit": status.commit,
        "paths": list(status.paths),
        "problems": [str(problem.within_tenant()) for problem in status.problems],
    }
