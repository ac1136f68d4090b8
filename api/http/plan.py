"""Plans: what writes would do, before anybody asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.http.caller import Caller, CallerDep
from api.http.context import ApiContext
from api.http.problems import Refusal
from api.http.writes import ContextDep
from intents.authority import is_platform_admin
from reconciler.planning.plan import ChangePlan, plan_change, problems_of, to_json
from reconciler.planning.plan.draft import draft
from reconciler.planning.plan.visibility import folder_of, plan_for_tenant

MOST_BYTES = 4 * 2**20
MOST_WRITES = 500
_PATH = r"^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$"


class BoundedRoute(APIRoute):
    """A route that reads no body before it knows its size."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Look at the size, then go on as usual."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            length = request.headers.get("content-length")
            if length is None:
                raise Refusal(HTTPStatus.LENGTH_REQUIRED, "length-required", "send the body's Content-Length")
            if int(length) > MOST_BYTES:
                detail = f"the body has {length} bytes; at most {MOST_BYTES} are planned at once"
                raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
            return await handle(request)

        return bounded


router = APIRouter(prefix="/plan", tags=["writes"], route_class=BoundedRoute)


class PlannedWrite(BaseModel):
    """One path with the text it would hold."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(max_length=500, pattern=_PATH)]
    content: str | None = Field(description="the whole document; null removes it")


class PlannedChange(BaseModel):
    """A change that nobody has asked for yet."""

    model_config = ConfigDict(extra="forbid")

    writes: Annotated[list[PlannedWrite], Field(min_length=1, max_length=MOST_WRITES)]

    @model_validator(mode="after")
    def _paths_differ(self) -> PlannedChange:
        if len({each.path for each in self.writes}) < len(self.writes):
            raise ValueError("a path is written twice")
        return self

    @property
    def files(self) -> Mapping[str, bytes | None]:
        """The bytes by path."""
        # Half of a UTF-16 pair is no text: it is kept, and the reader then says so.
        return {
            each.path: None if each.content is None else each.content.encode("utf-8", "surrogatepass")
            for each in self.writes
        }


@router.post("", response_model=ChangePlan)
async def plan(context: ContextDep, caller: CallerDep, body: PlannedChange) -> Response:
    """Return what the writes would do to the tree at head; nothing is written.

    Problems are part of the answer. A caller plans in their own tenant and sees nothing of others; platform admins
    plan everywhere and see also how much of the clusters is used.
    """
    found = await asyncio.to_thread(_plan, context, caller, body.files)
    return Response(to_json(found), media_type="application/json")


def _plan(context: ApiContext, caller: Caller, files: Mapping[str, bytes | None]) -> ChangePlan:
    everything = is_platform_admin(caller.tree, caller.principal)
    if not everything and any(not path.startswith(folder_of(caller.tenant)) for path in files):
        detail = f"{caller.principal.user} plans in {folder_of(caller.tenant)} only"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", detail)
    drafted = draft(caller.tree, caller.principal, files)
    trees, now = (caller.tree, drafted.head), context.now()
    problems = (*drafted.problems, *problems_of(*trees, files))
    others = context.open_changes.beside(context.head.commit or "")
    if everything:
        return plan_change(*trees, files, now=now, others=others, problems=problems)
    return plan_for_tenant(*trees, files, caller.tenant, now=now, others=others, problems=problems)
