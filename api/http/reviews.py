"""Changes that others approve: lists, what one would do now, approving, merging, closing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.http.bounded import DocumentRoute
from api.http.caller import Caller, ScopeDep
from api.http.checking import size_of
from api.http.conflicts import conflicts
from api.http.context import ApiContext, ContextDep
from api.http.known_changes import known_change
from api.http.pages import change_page_of, next_cursor
from api.http.problems import ConflictView, ProblemView, Refusal, refusal, seen
from api.http.remotes import OnForge, on_forge
from api.http.views import Page
from api.http.writes import Ask, DryRun, WriteAnswer, WritesDep, answers
from api.line_diff import unified
from intents.kinds.members import Subject
from intents.tree import Tree
from reconciler.planning.changes import (
    ID_PATTERN,
    Approval,
    ChangeId,
    ChangeState,
    Counted,
    Deed,
    OfChange,
    not_approvable,
)
from reconciler.planning.plan import ChangePlan
from reconciler.planning.plan.diff import Change as Happening
from reconciler.planning.plan.digest import PlanDigest
from reconciler.planning.plan.report import headline
from reconciler.planning.proposing import Files, KnownChange, Preview, net_writes, preview, preview_questions
from reconciler.ports.changes import ChangeFilter, ChangeRecord
from reconciler.ports.errors import Conflict

router = APIRouter(prefix="/changes", tags=["changes"], route_class=DocumentRoute)

ChangePath = Annotated[str, Path(pattern=ID_PATTERN, description="the id of a change")]


class ChangeItem(BaseModel):
    """A change in a list."""

    id: str
    state: ChangeState
    tenant: str
    project: str
    subject: str
    author: str
    paths: list[str]
    base: str = Field(description="the commit of main that it was last decided on")
    head: str = Field(description="its own newest commit")
    opened_at: datetime
    updated_at: datetime
    merge_when_approved: bool
    approved_by: list[str] = Field(
        description="who said yes to its newest commit; whether that counts, the change tells"
    )
    commit: str | None = Field(description="the commit of main that merged it")
    ended_by: str | None


class ChangedFile(BaseModel):
    """One path of a change."""

    path: str
    change: Happening
    diff: str = Field(description="what merging does to main as it is, line by line; of one that ended, what it asked")


class ApprovalView(BaseModel):
    """One person's yes."""

    approver: str
    at: datetime
    counts: bool
    fallen: str = Field(description="why it does not count; empty where it does")


class ChangeView(ChangeItem, OnForge):
    """A change: what it would do to main as that is now, and what it lacks."""

    writes: list[ChangedFile]
    required: int = Field(description="how many others have to approve")
    missing: int = Field(description="how many more")
    approvals: list[ApprovalView]
    approvers: list[Subject] = Field(description="who may approve it; those of the groups are not listed")
    mergeable: bool
    summary: str = Field(description="the plan in one line; of one that ended, empty")
    digest: str | None = Field(description="of the plan: what an approval is given for")
    plan: ChangePlan | None
    problems: list[ProblemView]
    conflicts: list[ConflictView] = Field(description="where main is not what it was written on: both versions")


class Yes(BaseModel):
    """An approval."""

    model_config = ConfigDict(extra="forbid")

    digest: Annotated[
        str, Field(pattern="^[0-9a-f]{64}$", description="of the plan that was read: the change's `digest`")
    ]


class Approved(BaseModel):
    """A change after an approval; where it was to be merged with the last one, what became of that."""

    change: ChangeView
    merge: WriteAnswer | None


_GUARD = "say by `head` which commit of the change was looked at"


class Seen(BaseModel):
    """What was seen of a change."""

    model_config = ConfigDict(extra="forbid")

    head: Annotated[str, Field(pattern="^(?:[0-9a-f]{40})?$")] = Field(
        default="", description="the change's `head` that was looked at; another one now is 409"
    )


def wanted_of(
    state: Annotated[ChangeState | Literal["any"], Query()] = ChangeState.OPEN,
    project: str | None = None,
    author: Annotated[str | None, Query(description="who opened it")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> ChangeFilter:
    """Read which changes a list is of."""
    return ChangeFilter(limit, change_page_of(cursor), None if state == "any" else ChangeState(state), project, author)


@router.get("")
async def list_changes(
    context: ContextDep, caller: ScopeDep, wanted: Annotated[ChangeFilter, Depends(wanted_of)]
) -> Page[ChangeItem]:
    """Return the tenant's changes, newest first; on the bare host those of the platform and of several tenants."""
    found = await context.changes(caller.tenant).records(wanted)
    last = found[-1].change if len(found) == wanted.limit else None
    following = next_cursor(f"{last.opened_at.isoformat()} {last.id}") if last else None
    return Page(items=[ChangeItem(**_item(each)) for each in found], next=following)


@router.get("/{change_id}")
async def get_change(context: ContextDep, caller: ScopeDep, change_id: ChangePath) -> ChangeView:
    """Return a change, with its plan and problems at main as it is now."""
    return await change_view(context, caller, await known_change(context, caller, ChangeId(change_id)))


@router.post("/{change_id}:approve")
async def approve_change(
    context: ContextDep, caller: ScopeDep, writes: WritesDep, change_id: ChangePath, body: Yes
) -> Approved:
    """Say yes to the plan that was read.

    A yes falls when the change is updated, or main moves such that the plan is another.
    """
    known = await known_change(context, caller, ChangeId(change_id))
    shown = await preview_of(context, caller, known)
    read = PlanDigest(body.digest)
    if problem := not_approvable(caller.tree, known.change, caller.principal, read, shown.digest):
        raise refusal([problem])
    approval = Approval(known.change.id, caller.principal, read, known.change.head, context.now())
    try:
        await context.changes(caller.tenant).approve(approval)
    except Conflict as ended:
        raise Refusal(HTTPStatus.CONFLICT, "change-not-open", str(ended)) from ended
    known = await known_change(context, caller, known.change.id)
    view = await change_view(context, caller, known)
    return Approved(change=view, merge=await _merged(caller, writes, known, view))


@router.post("/{change_id}:merge", response_model=WriteAnswer | DryRun, responses=answers())
async def merge_change(
    context: ContextDep, caller: ScopeDep, writes: WritesDep, change_id: ChangePath, body: Seen | None = None
) -> WriteAnswer | DryRun:
    """Write an approved change to main, as one commit of its author, if it still is what was approved."""
    writes.asked.refuse_preconditions(_GUARD)
    known = await known_change(context, caller, ChangeId(change_id))
    return await writes.submit(caller, lambda: _merging(caller, known, body.head if body else ""))


@router.post("/{change_id}:close", response_model=WriteAnswer | DryRun, responses=answers())
async def close_change(
    context: ContextDep, caller: ScopeDep, writes: WritesDep, change_id: ChangePath, body: Seen | None = None
) -> WriteAnswer | DryRun:
    """End a change without merging it."""
    writes.asked.refuse_preconditions(_GUARD)
    known = await known_change(context, caller, ChangeId(change_id))
    of = OfChange(known.change.id, Deed.CLOSE, body.head if body else "")
    return await writes.submit(caller, lambda: Ask(f"Close change {change_id}", of_change=of))


def _merging(caller: Caller, known: KnownChange, head: str) -> Ask:
    """Ask for a merge; what it writes is decided at the writer's turn, and kept here for a conflict to be told."""
    of = OfChange(known.change.id, Deed.MERGE, head)
    return Ask(known.change.subject, net_writes(caller.tree, known), of_change=of)


async def _merged(caller: Caller, writes: WritesDep, known: KnownChange, view: ChangeView) -> WriteAnswer | None:
    """Merge a change that was to be with its last approval; where something stands in the way, its view says what."""
    if not (known.change.merge_when_approved and view.mergeable):
        return None
    try:
        answer = await writes.submit(caller, lambda: _merging(caller, known, known.change.head))
    except Refusal:
        return None
    return answer if isinstance(answer, WriteAnswer) else None


async def preview_of(context: ApiContext, caller: Caller, known: KnownChange) -> Preview:
    """Return what a change would do to main as it is now."""
    questions = await asyncio.to_thread(preview_questions, caller.tree, known)
    facts = await context.queue(caller.tenant).facts(questions)

    def look() -> Preview:
        others = context.open_changes.beside(context.head.commit or "", planned=known.change.head)
        return preview(caller.tree, known, now=context.now(), others=others, facts=facts)

    return await context.checks.run(size_of(known.files), look)


async def change_view(context: ApiContext, caller: Caller, known: KnownChange) -> ChangeView:
    """Return a change as people see it."""
    if known.change.state is not ChangeState.OPEN:
        return await _ended_view(context, known)
    shown = await preview_of(context, caller, known)
    standing, plan = shown.standing, shown.plan
    disputed = conflicts(caller.tree, net_writes(caller.tree, known), (each.path for each in shown.conflicts))
    forge = await on_forge(context, known.change)
    return ChangeView(
        **_item(ChangeRecord(known.change, known.approvals)),
        **forge.model_dump(),
        writes=await changed_files(context, shown.files, lambda path: _body(caller.tree, path)),
        required=standing.required,
        missing=standing.missing,
        approvals=[_approval(each) for each in standing.approvals],
        approvers=list(standing.who),
        mergeable=shown.mergeable,
        summary=headline(plan),
        digest=shown.digest,
        plan=plan,
        problems=seen(plan.problems),
        conflicts=disputed,
    )


async def _ended_view(context: ApiContext, known: KnownChange) -> ChangeView:
    """Return a change that ended: what it asked, and who said yes; what it lacks is of no matter any more."""
    given = [ApprovalView(approver=each.approver.user, at=each.at, counts=False, fallen="") for each in known.approvals]
    return ChangeView(
        **_item(ChangeRecord(known.change, known.approvals)),
        writes=await changed_files(context, known.files, known.before.get),
        required=0,
        missing=0,
        approvals=given,
        approvers=[],
        mergeable=False,
        summary="",
        digest=None,
        plan=None,
        problems=[],
        conflicts=[],
    )


def _item(record: ChangeRecord) -> dict[str, Any]:
    change = record.change
    return {
        **{name: getattr(change, name) for name in _SHOWN},
        "author": change.author.user,
        "paths": list(change.paths),
        "approved_by": [each.approver.user for each in record.approvals if each.head == change.head],
        "commit": change.commit or None,
        "ended_by": change.ended_by or None,
    }


_SHOWN = (
    *("id", "state", "tenant", "project", "subject", "base", "head"),
    *("opened_at", "updated_at", "merge_when_approved"),
)


def _approval(counted: Counted) -> ApprovalView:
    given = counted.approval
    return ApprovalView(approver=given.approver.user, at=given.at, counts=not counted.fallen, fallen=counted.fallen)


def _body(tree: Tree, path: str) -> bytes | None:
    document = tree.get(path)
    return document.body if document else None


async def changed_files(context: ApiContext, files: Files, before: Callable[[str], bytes | None]) -> list[ChangedFile]:
    """Return what a change writes, against what `before` says stands there."""
    return await context.checks.run(size_of(files), lambda: list(_changed(files, before)))


def _changed(files: Files, before: Callable[[str], bytes | None]) -> Iterator[ChangedFile]:
    for path, after in sorted(files.items()):
        old = before(path)
        change = Happening.ADDED if old is None else Happening.REMOVED if after is None else Happening.CHANGED
        yield ChangedFile(path=path, change=change, diff=unified(old, after, f"main/{path}", f"change/{path}"))
