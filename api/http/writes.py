"""The one way to write: from what a client asks to a durable row, and to its answer where the client waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field

from api.http.asked import Asked, AskedDep
from api.http.caller import Caller
from api.http.checking import size_of
from api.http.commits import reflects
from api.http.conflicts import conflicts
from api.http.context import ApiContext, ContextDep
from api.http.known_changes import known_change
from api.http.plans import plan_change_of
from api.http.problems import ConflictView, ProblemDetails, ProblemView, Refusal, refusal
from api.http.remotes import Delivery
from intents.checks import Facts
from intents.problems import Problem
from intents.tree import Tree
from reconciler.planning.changes import OfChange
from reconciler.planning.plan import ChangePlan
from reconciler.planning.plan.draft import draft
from reconciler.planning.plan.report import headline
from reconciler.planning.proposing import Known, bounded, decide, opening, with_net_writes
from reconciler.planning.writing import (
    Accepted,
    Closed,
    Proposed,
    Refused,
    RequestId,
    Write,
    WriteAction,
    WriteRequest,
    questions_of,
)
from reconciler.ports.errors import Waiting
from reconciler.ports.requests import RequestState, RequestStatus

LOOK_AGAIN_SECONDS = 1.0


class WriteAnswer(BaseModel):
    """A request that is durable: it will be answered, whatever happens."""

    request: UUID
    state: RequestState
    commit: str | None = Field(description="the commit on main; null while there is none")
    paths: list[str] = Field(description="what the commit changed; while it waits, what it asks to write")
    change: str | None = Field(default=None, description="the change that others have to approve, or that it is about")


class RequestView(WriteAnswer, Delivery):
    """What became of a request."""

    problems: list[ProblemView]
    conflicts: list[ConflictView] = Field(description="of a conflict: what was asked, and what stands there now")


class DryRun(BaseModel):
    """What a write would do; nothing was written."""

    state: Literal["planned"] = "planned"
    paths: list[str]
    approvals: int = Field(description="how many others would have to approve; 0: it would be committed at once")
    summary: str = Field(description="the plan in one line")
    plan: ChangePlan


def answers(written: Any = WriteAnswer) -> dict[int | str, dict[str, Any]]:
    """Return what a route that writes answers, by status; `written` is its own form of WriteAnswer."""
    return {
        200: {"model": written | DryRun, "description": "Committed; or, of a dry run, what it would do"},
        201: {"model": written, "description": "Committed, and something is there that was not"},
        202: {
            "model": written,
            "description": "Durable, or open as a change; `Location` tells what becomes of it",
            "headers": {"Location": {"description": "Of the request, or the change.", "schema": {"type": "string"}}},
        },
        409: {"model": ProblemDetails, "description": "Something else stands there, or the key was used before"},
    }


@dataclass(frozen=True)
class Writes:
    """What a route needs to write: of whom, how it is asked for, and where its answer goes."""

    context: ApiContext
    asked: Asked
    http: Request
    response: Response

    async def submit(self, caller: Caller, ask: Callable[[], Ask]) -> WriteAnswer | DryRun:
        """Check, make the request durable, and answer: 202 at once; where the client waits 201 or 200 with the commit.

        From the moment the row is written the request is never lost, whatever is answered. What was asked before
        under the same key is answered from its row, without looking at the tree: it is not the same any more.
        """
        if self.asked.dry_run:
            return await self._planned(caller, self._request(caller, ask()))
        change, standing = "", await self._standing(caller)
        if standing is None:
            try:
                standing, change = await self._put(caller, ask)
            except Refusal:
                # Sent twice at once, the first may be what the second is refused for.
                standing = await self._standing(caller)
                if standing is None:
                    raise
        return await self._answered(caller, standing, change)

    async def _standing(self, caller: Caller) -> RequestId | None:
        """Return the request that was put before under the same key."""
        key = self.asked.request_key(caller)
        return await self.context.queue(caller.tenant).keyed(key) if key else None

    async def _put(self, caller: Caller, ask: Callable[[], Ask]) -> tuple[RequestId, str]:
        """Make what is asked for durable, give it a while; return its id, and the change that it will open."""
        request = replace(self._request(caller, ask()), key=self.asked.request_key(caller))
        change = _change_of(await self._decided(caller, request))
        hint = self.context.answered.of(request.id)
        standing = await self.context.queue(caller.tenant).put(request)
        if standing == request.id:
            await hint.wait(min(self.asked.wait, LOOK_AGAIN_SECONDS))
        return standing, change

    def _request(self, caller: Caller, asked: Ask) -> WriteRequest:
        if asked.request is not None:
            return asked.request
        return WriteRequest(
            id=RequestId(self.context.new_id()),
            tenant=caller.tenant,
            project=caller.project,
            subject=asked.subject,
            principal=caller.principal,
            writes=tuple(asked.writes),
            email=caller.email,
            of_change=asked.of_change or self.asked.of_change,
            merge_when_approved=self.asked.merge_when_approved,
        )

    async def _decided(self, caller: Caller, request: WriteRequest) -> Accepted | Proposed | Closed:
        """Decide as the writer will, on the tree at head; raises the refusal."""
        known = await self._known(caller, request)
        whole = request
        if request.of_change is not None:
            whole = await asyncio.to_thread(with_net_writes, caller.tree, request, known)
        facts = await self.context.queue(caller.tenant).facts(questions_of(caller.tree, [whole]))
        _, decision = await self.context.checks.run(whole.size, lambda: decide(caller.tree, request, known, facts))
        if opening([decision]):
            counts = {caller.tenant: await self.context.changes(caller.tenant).open_count()}
            (decision,) = bounded([decision], counts)
        if isinstance(decision, Refused):
            raise _refusal(caller, caller.tree, whole.writes, decision.problems, conflict=decision.conflict)
        return decision

    async def _known(self, caller: Caller, request: WriteRequest) -> Known:
        """Return the change that a request is about; another's is not there."""
        if request.of_change is None:
            return Known()
        found = await known_change(self.context, caller, request.of_change.id)
        return Known({found.change.id: found})

    async def _planned(self, caller: Caller, request: WriteRequest) -> DryRun:
        decision = await self._decided(caller, request)
        files = {} if isinstance(decision, Closed) else decision.files
        required = decision.required if isinstance(decision, Proposed) else 0
        plan = await self.context.checks.run(size_of(files), lambda: self._plan(caller, files))
        self.response.status_code = HTTPStatus.OK
        return DryRun(paths=sorted(files), approvals=required, summary=headline(plan), plan=plan)

    def _plan(self, caller: Caller, files: Mapping[str, bytes | None]) -> ChangePlan:
        """Plan what was decided to be right. Blocks."""
        after = draft(caller.tree, caller.principal, files).head
        return plan_change_of(self.context, caller, after, files, Facts(approved=True))

    async def _answered(self, caller: Caller, request: RequestId, change: str) -> WriteAnswer:
        status = await answered(self.context, caller.tenant, request, self.asked.wait)
        if status.state in {RequestState.REFUSED, RequestState.PARKED}:
            tree = await self.context.head.advance()
            raise _refusal(caller, tree, status.writes, status.problems, conflict=status.conflict)
        answer = write_answer(replace(status, change=status.change or change))
        place = f"changes/{answer.change}" if status.state is RequestState.PROPOSED else f"requests/{request}"
        self.response.headers["Location"] = f"/api/v1/{place}"
        self.response.status_code = await asyncio.to_thread(_success, self.context, status)
        reflects(self.http, answer.commit)
        return answer


def _change_of(decision: Accepted | Proposed | Closed) -> str:
    """Return the change that a request becomes, before the writer says so."""
    return decision.change if isinstance(decision, Proposed) else ""


@dataclass(frozen=True)
class Ask:
    """What a route decided to ask for: writes under a subject, or a whole request where the platform asks."""

    subject: str = ""
    writes: Sequence[Write] = ()
    request: WriteRequest | None = None
    of_change: OfChange | None = None


async def writes_of(context: ContextDep, asked: AskedDep, request: Request, response: Response) -> Writes:
    """Return the way to write for this request."""
    return Writes(context, asked, request, response)


WritesDep = Annotated[Writes, Depends(writes_of)]


def _refusal(
    caller: Caller, tree: Tree, writes: Sequence[Write], problems: Sequence[Problem], *, conflict: bool
) -> Refusal:
    disputed = conflicts(tree, writes, (problem.path for problem in problems)) if conflict else None
    if caller.is_platform:
        problems = [replace(problem, message=problem.told) for problem in problems]
    return refusal(problems, disputed)


def _success(context: ApiContext, status: RequestStatus) -> HTTPStatus:
    """Return 201 where the commit added an intent, the same each time the request is asked for again."""
    if status.state in {RequestState.WAITING, RequestState.PROPOSED}:
        return HTTPStatus.ACCEPTED
    if status.state is RequestState.CLOSED:
        return HTTPStatus.OK
    parent = context.repository.info(status.commit).parent
    added = (parent is None or context.repository.read(parent, path) is None for path in status.paths)
    return HTTPStatus.CREATED if any(added) else HTTPStatus.OK


async def answered(context: ApiContext, tenant: str, request: UUID, wait: float) -> RequestStatus:
    """Return the request's status: as soon as it is answered, at the latest after `wait` seconds."""
    queue, deadline = context.queue(tenant), time.monotonic() + wait
    while True:
        hint = context.answered.of(request)
        status = await queue.status(request)
        if status is None:
            raise Waiting(f"request {request} is not to be found")
        left = deadline - time.monotonic()
        if status.state is not RequestState.WAITING or left <= 0:
            return status
        await hint.wait(min(left, LOOK_AGAIN_SECONDS))


def write_answer(status: RequestStatus) -> WriteAnswer:
    """Return a request as whoever asked for it sees it."""
    commit = status.commit if status.state is RequestState.COMMITTED else None
    change = status.change or None
    return WriteAnswer(request=status.id, state=status.state, commit=commit, paths=list(status.paths), change=change)


def put(path: str, content: bytes, expects: str) -> Write:
    """Return the write that puts a document at its path."""
    return Write(path, WriteAction.PUT, content, expects)
