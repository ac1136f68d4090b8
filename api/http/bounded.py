"""Bodies are bounded before they are read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.http.problems import Refusal

MOST_BYTES = 4 * 2**20
"""Of a body with many documents."""


class BoundedRoute(APIRoute):
    """A route that reads no body before it knows its size."""

    most_bytes = MOST_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Look at the size, then go on as usual."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            refuse_large(request, self.most_bytes)
            return await handle(request)

        return bounded


class DocumentRoute(BoundedRoute):
    """A route whose body is one document; an intent has 256 KiB at most, and JSON takes more room than YAML."""

    most_bytes = 2**20


def refuse_large(request: Request, most: int) -> None:
    """Refuse a body that is larger than `most` bytes, or does not say how large it is."""
    length = request.headers.get("content-length")
    if length is None and "transfer-encoding" not in request.headers:
        return  # no body
    if length is None or not length.isdecimal():
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "length-required", "send the body's Content-Length")
    if int(length) > most:
        detail = f"the body has {length} bytes; at most {most} are taken at once"
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
