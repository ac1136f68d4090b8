"""The repository for git: clone, fetch and push by platform admins, at `/git/ordain.git` of the bare host.

Tenants have none: git has no read control by path, and who reads one intent here reads all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from api.http.caller import EMAIL_HEADER, principal_of, tenant_of
from api.http.context import context_of
from api.http.problems import Refusal, not_found
from api.http.push_text import answer_of, lines_of
from api.http.pushes import Push
from intents.authority import is_platform_admin
from reconciler.planning.push_requests import Pusher
from reconciler.planning.pushes import RefUpdate
from reconciler.ports.errors import Waiting
from reconciler.ports.git_service import GitCall, GitExchange, GitService, PushAnswer, PushedObjects, Service
from reconciler.ports.git_service import Receive as Decide

log = logging.getLogger(__name__)

router = APIRouter(prefix="/git/ordain.git", include_in_schema=False)

SERVED_WITHIN = 600.0
"""Seconds for a whole call, however slow the client."""
MOST_BODY_BYTES = {Service.READ: 8 << 20, Service.PUSH: 256 << 20}
"""What of a push is more than git takes is read all the same, so that the client hears why."""


@router.get("/info/refs")
async def advertise(request: Request, service: str = "") -> Response:
    """Say what there is."""
    return await _served(request, service, advertise=True)


@router.post("/{service}")
async def call(request: Request, service: str) -> Response:
    """Clone, fetch or push."""
    return await _served(request, service, advertise=False)


async def _served(request: Request, name: str, *, advertise: bool) -> Response:
    """Refuse in words that git shows, or serve."""
    try:
        pusher = await _platform_admin(request)
        asked = _call(request, name, advertise=advertise)
    except Refusal as refused:
        return _in_words(refused.status, refused.detail)
    context = context_of(request)

    async def decide(objects: PushedObjects, updates: Sequence[RefUpdate]) -> PushAnswer:
        return await _decided(Push(context, pusher, objects), updates)

    return Served(context.git, asked, decide)


async def _platform_admin(request: Request) -> Pusher:
    tree, tenant = await tenant_of(request)
    if tenant is not None:
        domain = tree.platform.base_domain
        detail = f"git is for platform admins, at {domain}; in a tenant, use the API or the command `ordain`"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", detail)
    principal = principal_of(request)
    if not is_platform_admin(tree, principal):
        detail = f"{principal.user} is no platform admin: git shows whoever reads it all tenants; use the API"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", detail)
    return Pusher(principal, request.headers.get(EMAIL_HEADER, principal.user))


def _call(request: Request, name: str, *, advertise: bool) -> GitCall:
    if name not in set(Service):
        raise not_found(f"{request.url.path} (git speaks the smart protocol here)")
    service = Service(name)
    kind = f"application/x-{service}-request"
    # Also what keeps pages of others out: a browser asks first before it sends such a body elsewhere.
    if not advertise and request.headers.get("content-type") != kind:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "git-required", f"send {kind}, as git does")
    if int(request.headers.get("content-length", 0)) > MOST_BODY_BYTES[service]:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "this is more than is taken at once")
    headers = request.headers
    return GitCall(service, advertise, headers.get("git-protocol", ""), headers.get("content-encoding", ""))


async def _decided(push: Push, updates: Sequence[RefUpdate]) -> PushAnswer:
    outcomes = [await push.outcome(update) for update in updates]
    tree = push.context.head.tree
    return PushAnswer(
        [answer_of(each) for each in outcomes], [line for each in outcomes for line in lines_of(each, tree)]
    )


def _in_words(status: HTTPStatus, words: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer that git shows: of others than text/plain it only tells the number."""
    return PlainTextResponse(f"{words}\n", status, headers)


class Gone(Exception):
    """The client went away, or sends more than it may."""


class Served(Response):
    """A call of git's, streamed both ways; one reader has the request's body, and hears when the client goes."""

    def __init__(self, service: GitService, call: GitCall, decide: Decide) -> None:
        """Serve `call`."""
        super().__init__()
        self._service = service
        self._call = call
        self._decide = decide

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within bounds; where no answer has begun yet, say in words why there is none."""
        try:
            async with asyncio.timeout(SERVED_WITHIN), self._service.serve(self._call, self._decide) as exchange:
                # Git writes the head before it reads anything.
                status, headers = await exchange.head()
                await send({"type": "http.response.start", "status": status, "headers": _raw(headers)})
                await self._exchanged(exchange, receive, send)
        except Waiting as busy:
            after = {"Retry-After": str(round(busy.after))}
            await _in_words(HTTPStatus.SERVICE_UNAVAILABLE, f"try again: {busy}", after)(scope, receive, send)
        except TimeoutError:
            # The server then cuts the connection, which is how git hears of it.
            log.warning("%s was not done within %.0f s", self._call.service, SERVED_WITHIN)

    async def _exchanged(self, exchange: GitExchange, receive: Receive, send: Send) -> None:
        complete = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(self._fed(exchange, receive, complete))
                async for chunk in exchange.body():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await complete.wait()
                await send({"type": "http.response.body", "body": b""})
                feeding.cancel()
        except* Gone:
            log.info("a client of %s went away", self._call.service)

    async def _fed(self, exchange: GitExchange, receive: Receive, complete: asyncio.Event) -> None:
        """Hand the request's body over, then wait for the client to go. Raises Gone."""
        left = MOST_BODY_BYTES[self._call.service]
        while (message := await receive())["type"] == "http.request" and left >= 0:
            chunk = message.get("body", b"")
            left -= len(chunk)
            await exchange.feed(chunk)
            if not message.get("more_body", False):
                await exchange.end()
                complete.set()
        raise Gone


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
