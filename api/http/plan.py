"""Plans: what writes would do, before anybody asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.http.bounded import BoundedRoute
from api.http.caller import Caller, ScopeDep
from api.http.checking import size_of
from api.http.context import ApiContext, ContextDep
from api.http.plans import plan_change_of
from api.http.problems import Refusal
from intents.authority import is_platform_admin
from intents.checks import Facts
from reconciler.planning.facts import ledger_questions
from reconciler.planning.plan import ChangePlan, problems_of, to_json
from reconciler.planning.plan.draft import draft
from reconciler.planning.plan.visibility import folder_of

MOST_WRITES = 500
PATH_PATTERN = r"^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$"

router = APIRouter(prefix="/plan", tags=["writes"], route_class=BoundedRoute)


class PlannedWrite(BaseModel):
    """One path with the text it would hold."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(max_length=500, pattern=PATH_PATTERN)]
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
async def plan(context: ContextDep, caller: ScopeDep, body: PlannedChange) -> Response:
    """Return what the writes would do to the tree at head; nothing is written.

    Problems are part of the answer. A caller plans in their own tenant and sees nothing of others; platform admins
    plan everywhere and see also how much of the clusters is used.
    """
    questions = ledger_questions(caller.tree, ((path, content is not None) for path, content in body.files.items()))
    facts = await context.queue(caller.tenant).facts(questions)
    files = body.files
    found = await context.checks.run(size_of(files), lambda: _plan(context, caller, files, facts))
    return Response(to_json(found), media_type="application/json")


def _plan(context: ApiContext, caller: Caller, files: Mapping[str, bytes | None], facts: Facts) -> ChangePlan:
    everything = is_platform_admin(caller.tree, caller.principal)
    if not everything and any(not path.startswith(folder_of(caller.tenant)) for path in files):
        detail = f"{caller.principal.user} plans in {folder_of(caller.tenant)} only"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", detail)
    drafted = draft(caller.tree, caller.principal, files)
    problems = (*drafted.problems, *problems_of(caller.tree, drafted.head, files, facts))
    return plan_change_of(context, caller, drafted.head, files, facts, problems)
