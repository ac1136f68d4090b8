"""A small client of the HTTP API, as one tenant sees it."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

TIMEOUT = httpx.Timeout(45.0, connect=5.0)
"""Longer than the API's longest `?wait=`, which is 30 s."""


class ApiProblem(Exception):
    """The API refused or failed; the message is its problem+json in one or a few readable lines."""

    def __init__(self, method: str, path: str, status: int, detail: str) -> None:
        """Name the request and what was answered; `status` is 0 where nothing was."""
        super().__init__(f"{method} {path} answered {status or 'nothing'}: {detail}")
        self.status = status


class Client:
    """Requests to one tenant's host on an edge of this machine.

    The address is the edge's own, the tenant goes in the Host header: Python does not resolve *.localhost.
    """

    def __init__(
        self,
        base_url: str,
        host: str,
        transport: httpx.AsyncBaseTransport | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; enter to connect. Proxies of the environment are passed by: the edge is on this machine."""
        self.host = host
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Host": host, **(headers or {})},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def get(self, path: str, **query: str | int) -> Any:
        """Return the JSON at a path; raises ApiProblem for anything but success."""
        return await self.request("GET", path, query=query)

    async def text(self, path: str) -> str:
        """Return the text at a path; raises ApiProblem for anything but success."""
        return (await self._send("GET", path, None, None)).text

    async def find(self, path: str, **query: str | int) -> Any | None:
        """Return the JSON at a path, or None where there is nothing."""
        try:
            return await self.get(path, **query)
        except ApiProblem as problem:
            if problem.status == httpx.codes.NOT_FOUND:
                return None
            raise

    async def post(self, path: str, body: Any, **query: str | int) -> Any:
        """Send JSON and return the answer's."""
        return await self.request("POST", path, body, query)

    async def put(self, path: str, body: Any, **query: str | int) -> Any:
        """Replace what is at a path and return the answer."""
        return await self.request("PUT", path, body, query)

    async def request(self, method: str, path: str, body: Any = None, query: dict[str, str | int] | None = None) -> Any:
        """Send one request and return the answer's JSON; raises ApiProblem for anything but success."""
        return (await self._send(method, path, body, query)).json()

    async def _send(self, method: str, path: str, body: Any, query: dict[str, str | int] | None) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body, params=query)
        except httpx.TransportError as error:
            raise ApiProblem(method, path, 0, f"{type(error).__name__} {error}".strip()) from error
        if not response.is_success:
            raise ApiProblem(method, path, response.status_code, readable(response))
        return response


def readable(response: httpx.Response) -> str:
    """Return the text of a refusal: its detail, then every problem on a line of its own."""
    try:
        document = response.json()
    except ValueError:
        return response.text.strip()[:500] or response.reason_phrase
    if not isinstance(document, dict):
        return response.text[:500]
    lines = [str(document.get("detail") or document.get("error") or response.reason_phrase)]
    return "\n".join([*lines, *(_line(problem) for problem in document.get("problems") or ())])


def _line(problem: dict[str, Any]) -> str:
    place = ":".join(str(problem[key]) for key in ("path", "line") if problem.get(key))
    hint = f" ({problem['hint']})" if problem.get("hint") else ""
    return f"  {place or problem.get('field', '')} {problem.get('code')}: {problem.get('message')}{hint}"
