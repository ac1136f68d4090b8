"""Refusals as problem+json (RFC 9457): every problem at once, each with code, path, line and hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.panel.errors import error_page, wants_page
from intents.problems import InvalidIntent, Problem
from reconciler.planning.writing import Refused
from reconciler.ports.errors import Waiting

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


class Refusal(Exception):
    """An answer other than success; `code` is a readable slug."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.problems = status, code, detail, problems


def not_found(what: str) -> Refusal:
    """Refuse because there is no such thing: also the answer for another tenant's."""
    return Refusal(HTTPStatus.NOT_FOUND, "not-found", f"{what} does not exist")


def refusal_of(refused: Refused) -> Refusal:
    """Return the answer to a refused request."""
    return refusal(refused.problems, conflict=refused.conflict)


def refusal(problems: Sequence[Problem], *, conflict: bool = False) -> Refusal:
    """Return the answer that lists these problems."""
    if conflict:
        return Refusal(HTTPStatus.CONFLICT, "conflict", "the document changed since it was read", problems)
    if problems and all(problem.code == "forbidden" for problem in problems):
        return Refusal(HTTPStatus.FORBIDDEN, "forbidden", problems[0].message, problems)
    detail = f"refused for {len(problems)} problem{'s' if len(problems) != 1 else ''}; nothing was written"
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-intent", detail, problems)


def answer(request: Request, status: HTTPStatus, code: str, detail: str, problems: Sequence[Problem] = ()) -> Response:
    """Return a problem+json response; to a browser that navigates, a page that says the same."""
    if wants_page(request):
        return error_page(status, detail, problems)
    body = {
        "type": f"urn:ordain:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": detail,
        "problems": [_seen(problem) for problem in problems],
    }
    headers = {"Retry-After": str(RETRY_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(body, status.value, headers, MEDIA_TYPE)


def _seen(problem: Problem) -> dict[str, Any]:
    """Return a problem as the tenant that asked may see it."""
    seen = asdict(problem.within_tenant())
    del seen["across"]
    return seen


def install(app: FastAPI) -> None:
    """Make every error of the application problem+json, or a page for people."""

    @app.exception_handler(Refusal)
    async def _refusal(request: Request, refused: Refusal) -> Response:
        return answer(request, refused.status, refused.code, refused.detail, refused.problems)

    @app.exception_handler(InvalidIntent)
    async def _invalid(request: Request, invalid: InvalidIntent) -> Response:
        refused = refusal(invalid.problems)
        return answer(request, refused.status, refused.code, refused.detail, refused.problems)

    @app.exception_handler(Waiting)
    async def _waiting(request: Request, waiting: Waiting) -> Response:
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", f"try again soon: {waiting}")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return answer(request, status, status.phrase.lower().replace(" ", "-"), str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def _body(request: Request, error: RequestValidationError) -> Response:
        problems = [
            Problem("invalid-value", "", 0, 0, each["msg"], field=".".join(str(part) for part in each["loc"][1:]))
            for each in error.errors()
        ]
        return answer(
            request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "the request cannot be read", problems
        )
