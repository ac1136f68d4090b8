"""How a KFP 2.17 API server says things: errors, times and pages, as captured from a real one."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

Json = dict[str, Any]

INVALID, NOT_FOUND, EXISTS, ABORTED, UNIMPLEMENTED, INTERNAL, UNAUTHENTICATED = 3, 5, 6, 10, 12, 13, 16
"""Codes of gRPC."""
HTTP_STATUS = {INVALID: 400, NOT_FOUND: 404, EXISTS: 409, ABORTED: 409, UNIMPLEMENTED: 501, INTERNAL: 500, 16: 401}
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
PAGE = 20
BIGGEST_PAGE = 200


@dataclass(frozen=True)
class Answer:
    """A status and the JSON that goes with it."""

    status: int
    body: Json


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


def refused(code: int, message: str, inner: str) -> Refusal:
    """Return an error of the server; `inner` is the innermost text, which 500s keep to themselves."""
    said = "Internal Server Error" if code == INTERNAL else inner
    details = [{"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": said}]
    return Refusal(Answer(HTTP_STATUS[code], {"code": code, "message": message, "details": details}))


def by_gateway(code: int, message: str) -> Refusal:
    """Return an error of the gateway in front, which has no details."""
    return Refusal(Answer(HTTP_STATUS[code], {"code": code, "message": message}))


def traced(message: str) -> Refusal:
    """Return an error that carries the stack with it; its details repeat its text."""
    text = (
        f"Internal error: {message}\nFailed to compile job\ngithub.com/kubeflow/pipelines/backend/src/common/util.Wrap"
    )
    details = [{"@type": "type.googleapis.com/google.rpc.Status", "code": INTERNAL, "message": text}]
    return Refusal(Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"code": INTERNAL, "message": text, "details": details}))


def time_of(moment: datetime) -> str:
    """Return a time as it is sent: whole seconds, Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def without_zeros(fields: Mapping[str, Any]) -> Json:
    """Return the fields that are set: zero values are left out of every answer."""
    return {name: value for name, value in fields.items() if value not in ("", 0, None, [], {})}


def paged(noun: str, found: Sequence[Json], query: Mapping[str, str]) -> Json:
    """Return one page of a list."""
    begin, size = _begin(query.get("page_token", "")), int(query.get("page_size") or PAGE)
    page = found[begin : begin + min(size, BIGGEST_PAGE)]
    following = begin + len(page)
    token = base64.b64encode(json.dumps({"from": following}).encode()).decode() if following < len(found) else ""
    return without_zeros({noun: list(page), "total_size": len(found), "next_page_token": token})


def _begin(token: str) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.b64decode(token, validate=True))["from"])
    except (ValueError, KeyError, binascii.Error):
        message = (
            "Failed to create list options: InvalidInputError: Invalid page token: illegal base64 data at input byte 4"
        )
        raise refused(INVALID, message, "Invalid page token") from None
