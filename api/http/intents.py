"""Intents of every kind: one document, lists, and writing one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field, JsonValue

from api.http.bounded import DocumentRoute
from api.http.caller import Caller, ScopeDep
from api.http.commits import CommitQuery, MinCommit, listed, reflects
from api.http.context import ApiContext, ContextDep
from api.http.pages import next_cursor, text_of_cursor
from api.http.problems import Refusal, not_found
from api.http.scopes import document_path, in_scope, prefix_of
from api.http.views import Page
from api.http.writes import Ask, DryRun, WriteAnswer, WritesDep, answers, put
from intents.composing import compose
from intents.identity import Identity, identify
from intents.kinds import Kind
from intents.tree import AnyDocument
from intents.writing import blob_id, dump_document
from reconciler.planning.writing import ANY, removals
from reconciler.ports.reads import IntentFilter, IntentRow

router = APIRouter(prefix="/intents", tags=["intents"], route_class=DocumentRoute)

YAML = "application/yaml"
_DOCUMENT: dict[str, Any] = {
    "type": "object",
    "required": ["apiVersion", "kind", "spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string", "enum": [kind.value for kind in Kind]},
        "metadata": {"type": "object"},
        "spec": {"type": "object"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _DOCUMENT},
            YAML: {"schema": {**_DOCUMENT, "description": "committed byte by byte, comments included"}},
        },
    }
}
_READS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {YAML: {"schema": {"description": "the document, byte by byte"}}},
        "description": "The document, as `Accept` asks",
        "headers": {"ETag": {"description": 'Its blob id: `"<blob id>"`.', "schema": {"type": "string"}}},
    },
    304: {"description": "The client has it: its blob is the one of `If-None-Match`"},
}


class IntentView(BaseModel):
    """One intent at one commit."""

    path: str
    kind: Kind
    name: str
    tenant: str
    project: str
    version: str = Field(description="of a Template or ModelVersion")
    date: str = Field(description="of a Run")
    blob: str = Field(description="the id git gives its bytes; the ETag")
    commit: str = Field(description="the commit it was read at")
    document: JsonValue = Field(description="as it is written, without comments")


class IntentItem(BaseModel):
    """One intent at head, in a list."""

    path: str
    kind: Kind
    name: str
    tenant: str
    project: str
    version: str
    date: str
    labels: dict[str, str]
    blob: str
    commit: str = Field(description="the commit that last changed it")
    author: str
    committed_at: datetime


Labels = Annotated[list[str], Query(alias="label", max_length=10, description="`key=value`; several must all be there")]


async def wanted_of(
    caller: ScopeDep,
    kind: Kind | None = None,
    project: Annotated[str | None, Query(description="only what lies in this project")] = None,
    name: Annotated[str | None, Query(pattern="^[a-z0-9-]{1,63}$", description="only what is called so")] = None,
    label: Labels = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: str | None = None,
) -> IntentFilter:
    """Read which intents a list is of."""
    labels = dict(_label(each) for each in label)
    return IntentFilter(limit, text_of_cursor(cursor), prefix_of(caller, project), kind, name, labels)


@router.get("")
async def list_intents(
    context: ContextDep,
    caller: ScopeDep,
    request: Request,
    wanted: Annotated[IntentFilter, Depends(wanted_of)],
    min_commit: MinCommit = None,
) -> Page[IntentItem]:
    """Return the tenant's intents by path; on the bare host the platform's own, and the tenants."""
    reads, more = context.reads(caller.tenant), replace(wanted, limit=wanted.limit + 1)
    found = await listed(context, request, min_commit, lambda: reads.intents(more))
    rows = found.items[: wanted.limit]
    following = next_cursor(rows[-1].path) if len(found.items) > wanted.limit else None
    return Page(items=[item for row in rows if (item := _item(row))], next=following)


@router.get("/{path:path}", response_model=IntentView, responses=_READS)
async def get_intent(
    context: ContextDep,
    caller: ScopeDep,
    request: Request,
    path: str,
    commit: CommitQuery = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    if_none_match: Annotated[str | None, Header(description='The ETag of what the client has: `"<blob id>"`.')] = None,
) -> Response | IntentView:
    """Return one intent, at head or as it was at a commit; as YAML, byte by byte, for `Accept: application/yaml`."""
    identity = document_path(caller, path)
    body = await _body(context, caller, path, commit)
    at = commit or context.head.commit or ""
    reflects(request, at)
    headers = {"ETag": f'"{blob_id(body)}"'}
    if if_none_match is not None and headers["ETag"] in (each.strip() for each in if_none_match.split(",")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if YAML in accept:
        return Response(body, media_type=YAML, headers=headers)
    view = _view(identity, path, body, at)
    return Response(view.model_dump_json(), media_type="application/json", headers=headers)


@router.put(
    "/{path:path}",
    status_code=HTTPStatus.ACCEPTED,
    response_model=WriteAnswer | DryRun,
    responses=answers(),
    openapi_extra=_BODY,
)
async def put_intent(caller: ScopeDep, writes: WritesDep, path: str, request: Request) -> WriteAnswer | DryRun:
    """Commit a document at its path; the path is its name, its kind must be the path's."""
    content = _content(request, writes.asked.body)

    def ask() -> Ask:
        identity, verb = in_scope(caller, path), "Change" if path in caller.tree else "Add"
        return Ask(f"{verb} {title(identity, path)}", [put(path, content, writes.asked.expects(ANY))])

    answer = await writes.submit(caller, ask)
    writes.response.headers["ETag"] = f'"{blob_id(content)}"'
    return answer


@router.delete(
    "/{path:path}", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers()
)
async def delete_intent(caller: ScopeDep, writes: WritesDep, path: str) -> WriteAnswer | DryRun:
    """Remove an intent; a deployment goes together with its rollout."""
    identity = document_path(caller, path)

    def ask() -> Ask:
        document = caller.tree.get(path)
        if document is None:
            raise not_found(path)
        expects = writes.asked.expects(document.blob)
        return Ask(f"Remove {title(identity, path)}", removals(caller.tree, document, expects))

    return await writes.submit(caller, ask)


def title(identity: Identity | None, path: str) -> str:
    """Return an intent as a commit's subject names it."""
    if identity is None:
        return path
    name = f"{identity.name}@{identity.version}" if identity.version else identity.name
    place = [part for part in (identity.tenant, identity.project, name) if part]
    return f"{identity.kind.value} {'/'.join(dict.fromkeys(place))}"


async def _body(context: ApiContext, caller: Caller, path: str, commit: str | None) -> bytes:
    if commit is None:
        document: AnyDocument | None = caller.tree.get(path)
        body = document.body if document else None
    else:
        body = await asyncio.to_thread(body_at, context, commit, path)
    if body is None:
        raise not_found(f"{path} at {commit}" if commit else path)
    return body


def body_at(context: ApiContext, commit: str, path: str) -> bytes | None:
    """Return the bytes at a path of a commit that main has or had; None where nothing is. Blocks."""
    try:
        return context.repository.read(commit, path)
    except (KeyError, ValueError):
        raise not_found(f"commit {commit}") from None


def _view(identity: Identity, path: str, body: bytes, commit: str) -> IntentView:
    return IntentView(
        path=path,
        kind=identity.kind,
        name=identity.name,
        tenant=identity.tenant,
        project=identity.project,
        version=identity.version,
        date=identity.date,
        blob=blob_id(body),
        commit=commit,
        document=compose(body).value,
    )


def _item(row: IntentRow) -> IntentItem | None:
    identity = identify(row.path)
    if identity is None:
        return None
    return IntentItem(
        path=row.path,
        kind=identity.kind,
        name=identity.name,
        tenant=identity.tenant,
        project=identity.project,
        version=identity.version,
        date=identity.date,
        labels=dict(row.labels),
        blob=row.blob,
        commit=row.commit,
        author=row.author,
        committed_at=row.committed_at,
    )


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad-label", f"{text[:80]}: write a label as key=value")
    return key, value


def _content(request: Request, body: bytes) -> bytes:
    """Return the bytes to commit: YAML as it came, JSON as YAML of the same meaning."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == YAML:
        return body
    try:
        document = json.loads(body, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad-json", f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-json", "the body is no JSON object")
    return dump_document(document)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice in one object")
    return found
