"""What keeps other sites' pages from writing here through a person's browser."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request

from api.http.problems import Refusal

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MEDIA_TYPES = frozenset({"application/json", "application/yaml"})


async def refuse_foreign_writes(request: Request) -> None:
    """Refuse a write whose Origin is another host, or whose body is neither JSON nor YAML: forms cannot send those."""
    if request.method in SAFE:
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Refusal(HTTPStatus.FORBIDDEN, "foreign-origin", f"pages of {origin} may not write here")
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and media_type not in MEDIA_TYPES:
        detail = f"send application/json, not {media_type or 'a body without a Content-Type'}; one intent may be YAML"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "json-required", detail)
