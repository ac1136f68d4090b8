"""What an intent was: the commits that changed it, and what differs between two of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, JsonValue

from api.http.caller import Caller, ScopeDep
from api.http.commits import COMMIT_PATTERN, CommitQuery, MinCommit, listed
from api.http.context import ApiContext, ContextDep
from api.http.intents import body_at
from api.http.pages import next_cursor, number_of_cursor
from api.http.problems import not_found
from api.http.scopes import document_path
from api.http.views import Page
from api.line_diff import unified
from intents.composing import compose
from intents.identity import Identity
from intents.kinds import Kind
from intents.names import PLATFORM_TENANT
from intents.writing import blob_id
from reconciler.planning.plan.diff import FieldDifference, differences
from reconciler.ports.reads import VersionRow

router = APIRouter(tags=["intents"])

SOMEBODY = "Changed by the platform"
"""The subject of a commit that changed others' intents too: it may name them."""


class VersionItem(BaseModel):
    """A commit that changed an intent."""

    commit: str
    at: datetime
    author: str = Field(description="empty where the commit changed others' intents too")
    on_behalf_of: str = Field(description="the person for whom the platform wrote it")
    subject: str
    blob: str | None = Field(description="what the commit left there; null: it removed the intent")
    request: str = Field(description="the request it answers; empty where it came another way")


class Version(BaseModel):
    """An intent at a commit."""

    commit: str
    blob: str | None = Field(description="null: it is not there")


class Diff(BaseModel):
    """What differs between an intent at two commits."""

    path: str
    before: Version
    after: Version
    text: str = Field(description="line by line, in unified form")
    fields: list[FieldDifference] = Field(description="field by field")


Path = Annotated[str, Query(max_length=1000, description="the intent's path")]


@router.get("/history")
async def get_history(
    context: ContextDep,
    caller: ScopeDep,
    request: Request,
    path: Path,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
    min_commit: MinCommit = None,
) -> Page[VersionItem]:
    """Return the commits of main that changed an intent, newest first; also of one that is gone."""
    identity = document_path(caller, path)
    reads, before = context.reads(_owner(caller, identity)), number_of_cursor(cursor)
    found = await listed(context, request, min_commit, lambda: reads.history(path, limit + 1, before))
    if not found.items and before is None:
        raise not_found(path)
    rows = found.items[:limit]
    items = await asyncio.to_thread(_versions, context, caller, rows)
    following = next_cursor(str(rows[-1].sequence)) if len(found.items) > limit else None
    return Page(items=items, next=following)


@router.get("/diff")
async def get_diff(
    context: ContextDep,
    caller: ScopeDep,
    path: Path,
    before: Annotated[str, Query(alias="from", pattern=COMMIT_PATTERN, description="a commit")],
    after: Annotated[CommitQuery, Query(alias="to", description="another; the newest where it is left out")] = None,
) -> Diff:
    """Return what differs between an intent at two commits."""
    document_path(caller, path)
    return await asyncio.to_thread(_diff, context, path, before, after or context.head.commit or "")


def _owner(caller: Caller, identity: Identity) -> str:
    """Return whose rows tell of an intent: a tenant's own document is told to the tenant."""
    if caller.is_platform and identity.kind is Kind.TENANT:
        return identity.tenant
    return caller.tenant


def _versions(context: ApiContext, caller: Caller, rows: Sequence[VersionRow]) -> list[VersionItem]:
    return [item for row in rows if (item := _version(context, caller, row))]


def _version(context: ApiContext, caller: Caller, row: VersionRow) -> VersionItem | None:
    try:
        commit = context.repository.info(row.commit)
    except KeyError:
        return None  # of a history that was rewritten since
    changed = commit.trailers.get("Ordain-Intent", ())
    folder = f"tenants/{caller.tenant}/"
    alone = caller.tenant == PLATFORM_TENANT or (changed and all(path.startswith(folder) for path in changed))
    return VersionItem(
        commit=row.commit,
        at=commit.at,
        author=commit.author.name if alone else "",
        on_behalf_of=", ".join(commit.trailers.get("Ordain-On-Behalf-Of", ())) if alone else "",
        subject=commit.subject if alone else SOMEBODY,
        blob=row.blob,
        request=row.request,
    )


def _diff(context: ApiContext, path: str, before: str, after: str) -> Diff:
    old, new = body_at(context, before, path), body_at(context, after, path)
    if old is None and new is None:
        raise not_found(f"{path} at {before} or {after}")
    was, now = (f"{path}@{commit[:12]}" for commit in (before, after))
    return Diff(
        path=path,
        before=Version(commit=before, blob=blob_id(old) if old is not None else None),
        after=Version(commit=after, blob=blob_id(new) if new is not None else None),
        text=unified(old, new, was, now),
        fields=list(differences(_value(old), _value(new))),
    )


def _value(body: bytes | None) -> JsonValue:
    value: JsonValue = compose(body).value if body is not None else {}
    return value
