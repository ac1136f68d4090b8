"""What happened: the timeline, and the live stream that resumes where a client left off."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from api.http.caller import CallerDep
from api.http.context import ApiContext
from api.http.writes import LOOK_AGAIN_SECONDS, ContextDep
from reconciler.planning.events import Event

router = APIRouter(tags=["events"])

BATCH = 200
KEEP_ALIVE_SECONDS = 15.0
"""An event can be hinted at while an older transaction still hides it: a stream looks again meanwhile."""


@router.get("/timeline")
async def timeline(
    context: ContextDep, caller: CallerDep, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> dict[str, Any]:
    """Return the tenant's newest events, newest first."""
    return {"items": [event_view(event) for event in await context.reads(caller.tenant).newest_events(limit)]}


@router.get("/events", response_class=StreamingResponse)
async def events(
    context: ContextDep, caller: CallerDep, last_event_id: Annotated[int | None, Header(ge=0, lt=2**63)] = None
) -> StreamingResponse:
    """Stream the tenant's events as server-sent events, each after the `Last-Event-ID`, or from now on."""
    reads = context.reads(caller.tenant)
    newest = await reads.newest_events(1)
    after = last_event_id if last_event_id is not None else (newest[0].sequence if newest else 0)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(context, caller.tenant, after), media_type="text/event-stream", headers=headers)


async def _stream(context: ApiContext, tenant: str, after: int) -> AsyncIterator[str]:
    """Yield events for ever; ends when the client goes. A keep-alive finds out that it has."""
    reads = context.reads(tenant)
    yield ": connected\n\n"
    spoken = time.monotonic()
    while True:
        hint = context.happened.next()
        found = await reads.events_after(after, BATCH)
        for event in found:
            after = event.sequence
            # Without a name: a browser hands named events only to listeners that know each name. `type` has it.
            yield f"id: {event.sequence}\ndata: {json.dumps(event_view(event))}\n\n"
            spoken = time.monotonic()
        if not found:
            await hint.wait(LOOK_AGAIN_SECONDS)
        if time.monotonic() - spoken > KEEP_ALIVE_SECONDS:
            spoken = time.monotonic()
            yield ": keep-alive\n\n"


def event_view(event: Event) -> dict[str, Any]:
    """Return an event as CloudEvents JSON with its sequence number."""
    return {"sequence": event.sequence, **event.to_cloudevent()}
