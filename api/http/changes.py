"""Changes of several intents at once: all of them in one commit, or none."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.http.bounded import BoundedRoute
from api.http.caller import Caller, ScopeDep
from api.http.problems import Refusal, not_found
from api.http.scopes import LONGEST_PATH, in_scope
from api.http.writes import Ask, DryRun, WriteAnswer, WritesDep, answers, put
from reconciler.planning.writing import ABSENT, ANY, Write, WriteAction, removals

router = APIRouter(prefix="/changes", tags=["changes"], route_class=BoundedRoute)

MOST_WRITES = 500


class NewWrite(BaseModel):
    """One path of a change."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]
    content: str | None = Field(description="the whole document as YAML; null removes it")
    expects: Annotated[str, Field(pattern=f"^(?:{ABSENT}|{ANY}|[0-9a-f]{{40}})$")] = Field(
        default=ANY, description="what must stand there: a blob id, `absent`, or `any` as it is; else 409"
    )

    @property
    def body(self) -> bytes | None:
        """The bytes. Half of a UTF-16 pair is no text: it is kept, and the reader then says so."""
        return None if self.content is None else self.content.encode("utf-8", "surrogatepass")


class NewChange(BaseModel):
    """Writes that stand or fall together."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(max_length=200, description="first line of the commit message")] = ""
    writes: Annotated[list[NewWrite], Field(min_length=1, max_length=MOST_WRITES)]

    @model_validator(mode="after")
    def _paths_differ(self) -> NewChange:
        if len({each.path for each in self.writes}) < len(self.writes):
            raise ValueError("a path is written twice")
        return self


@router.post("", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers())
async def create_change(caller: ScopeDep, writes: WritesDep, body: NewChange) -> WriteAnswer | DryRun:
    """Commit several intents at once: all in one commit, or none. A deployment that goes takes its rollout along.

    On the bare host, also templates with their packages, and a tenant with its first projects.
    """
    writes.asked.refuse_preconditions("say what each path `expects`")

    def ask() -> Ask:
        return Ask(body.subject.strip() or _subject(body), list(_writes(caller, body)))

    return await writes.submit(caller, ask)


def _writes(caller: Caller, change: NewChange) -> Iterator[Write]:
    named = {each.path for each in change.writes}
    for each in change.writes:
        identity = in_scope(caller, each.path, companions=True)
        if identity is None and each.expects != ANY:
            detail = f"{each.path} is no intent: only `expects: {ANY}` holds for a file beside one"
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-precondition", detail)
        if (content := each.body) is not None:
            yield put(each.path, content, each.expects)
        elif document := caller.tree.get(each.path):
            found = removals(caller.tree, document, each.expects)
            yield from (write for write in found if write.path == each.path or write.path not in named)
        elif identity is not None and each.expects == ANY:
            raise not_found(each.path)
        else:
            yield Write(each.path, WriteAction.REMOVE, expects=each.expects)


def _subject(change: NewChange) -> str:
    count = len(change.writes)
    return f"Change {change.writes[0].path}" + (f" and {count - 1} more" if count > 1 else "")
