"""What happened: the timeline, and the live stream that resumes where a client left off."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, JsonValue

from api.http.caller import CallerDep
from api.http.context import ApiContext, ContextDep
from api.http.views import EventStream, Items
from api.http.writes import LOOK_AGAIN_SECONDS
from reconciler.planning.events import Event

router = APIRouter(tags=["events"])

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "An event each, its `data` as in the timeline, its `id` the sequence number; does not end",
    }
}
BATCH = 200
KEEP_ALIVE_SECONDS = 15.0
"""An event can be hinted at while an older transaction still hides it: a stream looks again meanwhile."""


class EventView(BaseModel):
    """One thing that happened, as a CloudEvent."""

    sequence: int
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    data: dict[str, JsonValue]


@router.get("/timeline")
async def timeline(
    context: ContextDep, caller: CallerDep, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Items[EventView]:
    """Return the tenant's newest events, newest first."""
    return Items(items=[event_view(event) for event in await context.reads(caller.tenant).newest_events(limit)])


@router.get("/events", response_class=EventStream, responses=_STREAM)
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
            yield f"id: {event.sequence}\ndata: {event_view(event).model_dump_json()}\n\n"
            spoken = time.monotonic()
        if not found:
            await hint.wait(LOOK_AGAIN_SECONDS)
        if time.monotonic() - spoken > KEEP_ALIVE_SECONDS:
            spoken = time.monotonic()
            yield ": keep-alive\n\n"


def event_view(event: Event) -> EventView:
    """Return an event as CloudEvents JSON with its sequence number."""
    return EventView(sequence=event.sequence, **event.to_cloudevent())
