"""Schedules: runs that are asked for by the clock."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, JsonValue

from api.http.bounded import DocumentRoute
from api.http.caller import Caller, CallerDep
from api.http.nouns import NamedAnswer, named, put_spec, remove
from api.http.pages import page_by_name
from api.http.problems import not_found
from api.http.views import Page, Shown
from api.http.writes import Ask, DryRun, WriteAnswer, WritesDep, answers
from intents.documents import Document, of_spec
from intents.identity import Identity
from intents.kinds import Kind, ScheduleSpec

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=DocumentRoute)


class ScheduleView(BaseModel):
    """A schedule as it is asked for."""

    name: str
    project: str
    blob: str
    spec: Shown[ScheduleSpec]


@router.get("")
async def list_schedules(
    caller: CallerDep, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: str | None = None
) -> Page[ScheduleView]:
    """Return the project's schedules by name."""
    known = caller.tree.in_project(Kind.SCHEDULE, caller.tenant, caller.project).values()
    schedules = (each for document in known if (each := of_spec(document, ScheduleSpec)))
    items, following = page_by_name(schedules, limit, cursor)
    return Page(items=[_view(each) for each in items], next=following)


@router.get("/{name}")
async def get_schedule(caller: CallerDep, name: str, response: Response) -> ScheduleView:
    """Return one schedule."""
    document = _schedule(caller, name)
    response.headers["ETag"] = f'"{document.blob}"'
    return _view(document)


@router.put(
    "/{name}",
    status_code=HTTPStatus.ACCEPTED,
    response_model=NamedAnswer | DryRun,
    responses=answers(NamedAnswer),
)
async def put_schedule(
    caller: CallerDep, writes: WritesDep, name: str, body: dict[str, JsonValue]
) -> NamedAnswer | DryRun:
    """Commit a Schedule; the body is its spec."""

    def ask() -> Ask:
        identity = Identity(Kind.SCHEDULE, name, caller.tenant, caller.project)
        return put_spec(caller, writes, identity, body, f"Schedule {caller.tenant}/{caller.project}/{name}")

    return named(await writes.submit(caller, ask), name, caller.project)


@router.delete("/{name}", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers())
async def delete_schedule(caller: CallerDep, writes: WritesDep, name: str) -> WriteAnswer | DryRun:
    """Remove a schedule; runs that it asked for stay."""

    def ask() -> Ask:
        subject = f"Remove schedule {caller.tenant}/{caller.project}/{name}"
        return remove(caller, writes, _schedule(caller, name), subject)

    return await writes.submit(caller, ask)


def _schedule(caller: Caller, name: str) -> Document[ScheduleSpec]:
    document = caller.tree.schedule(caller.tenant, caller.project, name)
    if document is None:
        raise not_found(f"schedule {name}")
    return document


def _view(document: Document[ScheduleSpec]) -> ScheduleView:
    who = document.identity
    return ScheduleView(name=who.name, project=who.project, blob=document.blob, spec=document.spec)
