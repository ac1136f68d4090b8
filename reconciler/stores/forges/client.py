"""One forge's API: JSON over HTTP, bounded in time and size, its limits kept and its errors named by what is next."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from reconciler.planning.rate_limits import Limits
from reconciler.ports.errors import Conflict, Stalled, Waiting

log = logging.getLogger(__name__)

Token = Callable[[], str]
"""Returns the token as it is now; may block."""

SECONDS = 20.0
CONNECT_SECONDS = 5.0
MOST_BYTES = 8 * 2**20
MOST_PAGES = 10
MOST_REMEMBERED = 256
"""Answers kept to ask with their ETag: one that has not changed costs nothing of GitHub's limit."""
LONGEST_MESSAGE = 300
AWAY_SECONDS = 5.0

_REFUSALS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the forge does not accept the token: {}; renew it",
    HTTPStatus.FORBIDDEN: "the token may not do this: {}; give it the right",
    HTTPStatus.NOT_FOUND: "nothing is there, or nothing that the token may see: {}; correct the address or its rights",
}


@dataclass(frozen=True)
class Answer:
    """What the forge answered."""

    status: int
    body: Any
    headers: Mapping[str, str]
    next: str = ""
    """The address of the next page."""

    @property
    def message(self) -> str:
        """The forge's word on what is wrong."""
        body = self.body if isinstance(self.body, dict) else {}
        errors = body.get("errors") or ()
        details = [each.get("message") or each.get("code") if isinstance(each, dict) else each for each in errors]
        said = "; ".join(str(each) for each in (body.get("message"), *details) if each)
        return " ".join(said.split())[:LONGEST_MESSAGE] or HTTPStatus(self.status).phrase


@dataclass
class ForgeClient:
    """Asks the API below one address, as the owner of one token.

    No redirect is followed, and pages are asked for here whatever host they name: the token goes nowhere else.
    """

    address: str
    token: Token
    scheme: str
    """What stands before the token in the header."""
    accept: str = "application/json"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _quiet_until: float = 0.0
    _spare_until: float = 0.0
    _refusals: int = 0
    _remembered: dict[str, Answer] = field(default_factory=dict)
    _client: httpx.AsyncClient | None = None

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accepted: Sequence[int] = (HTTPStatus.OK, HTTPStatus.CREATED),
        poll: bool = False,
    ) -> Answer:
        """Return the answer, whose status is one of `accepted`; raises Waiting, Stalled or Conflict for others.

        A `poll` waits where few requests are left.
        """
        self._expect_leave(poll=poll)
        url = path if path.startswith(("http://", "https://")) else f"{self.address}{path}"
        known = self._remembered.get(url) if method == "GET" else None
        answer = await self._send(method, url, body, known)
        self._keep_limits(answer)
        if answer.status == HTTPStatus.NOT_MODIFIED and known is not None:
            return known
        if answer.status not in accepted:
            raise self._error(method, url, answer)
        if method == "GET" and answer.status == HTTPStatus.OK and "etag" in answer.headers:
            self._remember(url, answer)
        return answer

    async def pages(self, path: str, *, poll: bool = False, within: str = "") -> list[Any]:
        """Return the rows of all pages, at most MOST_PAGES of them; `within` names the field that holds them."""
        rows: list[Any] = []
        for _ in range(MOST_PAGES):
            answer = await self.ask("GET", path, poll=poll)
            rows += (answer.body[within] if within else answer.body) or []
            path = answer.next
            if not path:
                return rows
        log.warning("%s has more than %d pages of %s: the rest is not looked at", self.address, MOST_PAGES, path)
        return rows

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, method: str, url: str, body: Any, known: Answer | None) -> Answer:
        token = await asyncio.to_thread(self.token)
        headers = {"Authorization": f"{self.scheme} {token}", "Accept": self.accept, "User-Agent": "ordain"}
        if known is not None:
            headers["If-None-Match"] = known.headers["etag"]
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS))
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._client.stream(method, url, json=body, headers=headers) as response,
            ):
                return self._answer(response, await _bounded(response))
        except (httpx.HTTPError, TimeoutError) as error:
            # The error's own text may name the address alone: headers are never in it.
            raise Waiting(f"{self.address} cannot be reached: {type(error).__name__} {error}".strip()) from None

    def _answer(self, response: httpx.Response, content: bytes) -> Answer:
        headers = {key.lower(): value for key, value in response.headers.items()}
        try:
            body = json.loads(content) if content.strip() else None
        except ValueError:
            if response.is_success:
                raise Waiting(f"{self.address} answers {response.status_code} without JSON: is it a forge?") from None
            body = None
        return Answer(response.status_code, body, headers, self._here(response.links.get("next", {}).get("url", "")))

    def _here(self, following: str) -> str:
        """Return the address of a next page at our own: behind a proxy a forge may name another host."""
        if not following:
            return ""
        ours, theirs = urlsplit(self.address), urlsplit(following)
        return urlunsplit((ours.scheme, ours.netloc, theirs.path, theirs.query, ""))

    def _expect_leave(self, *, poll: bool) -> None:
        now = self.now().timestamp()
        left = max(self._quiet_until, self._spare_until if poll else 0.0) - now
        if left > 0:
            raise Waiting(f"the rate limit of {self.address} is used up for another {left:.0f} s", left)

    def _keep_limits(self, answer: Answer) -> None:
        limits = Limits(answer.status, answer.headers, answer.message)
        now = self.now()
        self._quiet_until = now.timestamp() + limits.pause(now, self._refusals)
        self._spare_until = now.timestamp() + limits.spare(now)
        self._refusals = self._refusals + 1 if limits.exceeded else 0

    def _remember(self, url: str, answer: Answer) -> None:
        self._remembered.pop(url, None)
        self._remembered[url] = answer
        if len(self._remembered) > MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    def _error(self, method: str, url: str, answer: Answer) -> Exception:
        what = f"{method} {url}: {answer.message}"
        left = self._quiet_until - self.now().timestamp()
        if left > 0:
            return Waiting(f"{self.address} asks to wait {left:.0f} s: {answer.message}", left)
        if answer.status == HTTPStatus.CONFLICT:
            return Conflict(what)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Waiting(f"{self.address} answers {answer.status}: {what}", AWAY_SECONDS)
        if answer.status < HTTPStatus.BAD_REQUEST:
            place = urlsplit(answer.headers.get("location", "")).netloc or "another address"
            return Stalled(f"{url} has moved to {place}; name its new address in platform.yaml")
        return Stalled(_REFUSALS.get(answer.status, "the forge refuses this: {}").format(what))


async def _bounded(response: httpx.Response) -> bytes:
    """Return the body; raises Waiting for one that is larger than any that is asked for."""
    found = bytearray()
    async for chunk in response.aiter_bytes():
        found += chunk
        if len(found) > MOST_BYTES:
            raise Waiting(f"{response.url} answers with more than {MOST_BYTES} bytes", 60.0)
    return bytes(found)
