"""Commits in requests and answers: what an answer reflects at least, and which commit it was read at."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Path, Query, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.context import ApiContext
from api.http.problems import Refusal
from reconciler.ports.reads import Listing

HEADER = "Ordain-Commit"
COMMIT_PATTERN = "^[0-9a-f]{40}$"
LONGEST_WAIT_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.2

CommitPath = Annotated[str, Path(pattern=COMMIT_PATTERN)]
CommitQuery = Annotated[str | None, Query(pattern=COMMIT_PATTERN)]
MinCommit = Annotated[
    str | None,
    Query(
        alias="minCommit",
        pattern=COMMIT_PATTERN,
        description="Answer by what main holds from this commit on, such as the `Ordain-Commit` of an earlier answer; "
        "412 where main does not have it within 5 s.",
    ),
]

T = TypeVar("T")


class CommitHeader:
    """ASGI middleware: every answer that was made from a tree names its commit."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header where the request noted a commit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start" and (commit := state.get("ordain_commit")):
                MutableHeaders(scope=message)[HEADER] = commit
            await send(message)

        await self._app(scope, receive, named)


def reflects(request: Request, commit: str | None) -> None:
    """Note the commit that the answer to a request reflects."""
    if commit:
        request.state.ordain_commit = commit


async def wait_for(context: ApiContext, commit: str) -> None:
    """Return once the tree at head contains `commit`; refuse where it does not within a few seconds."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    await context.head.advance()
    while not await context.head.contains(commit):
        await _look_again(context, commit, deadline)
        await context.head.advance()


async def listed(
    context: ApiContext, request: Request, least: str | None, read: Callable[[], Awaitable[Listing[T]]]
) -> Listing[T]:
    """Read rows of the ledger that reflect at least the commit `least`: they follow main by some milliseconds."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        found = await read()
        if least is None or (found.commit and await context.head.contains(least, found.commit)):
            reflects(request, found.commit)
            return found
        await _look_again(context, least, deadline)


async def _look_again(context: ApiContext, commit: str, deadline: float) -> None:
    if time.monotonic() > deadline:
        detail = f"main does not contain {commit}: it was never committed there, or this server has not seen it yet"
        raise Refusal(HTTPStatus.PRECONDITION_FAILED, "min-commit", detail)
    await context.answered.next().wait(LOOK_AGAIN_SECONDS)
