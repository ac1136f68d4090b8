"""Refusals as problem+json (RFC 9457): every problem at once, each with code, path, line and hint."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.panel.errors import error_page, wants_page
from intents.problems import InvalidIntent, Problem, Severity
from reconciler.ports.errors import Waiting
from reconciler.ports.requests import KeyReused

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


class ProblemView(BaseModel):
    """One reason, as a tenant may see it; `line` and `column` count from 1, 0 where there is no place."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    path: str
    line: int
    column: int
    message: str
    hint: str
    severity: Severity
    field: str = Field(description="dotted path in the document, such as `spec.versions.0.model`")


class Text(BaseModel):
    """One version of a document."""

    blob: str
    content: str


class ConflictView(BaseModel):
    """A path that does not hold what the client took to be there, with both versions."""

    path: str
    base: str | None = Field(description="the blob id that was expected; null: nothing was")
    yours: Text | None = Field(description="what the client wants; null: nothing, or that it stays as it was")
    theirs: Text | None = Field(description="what stands there now; null: nothing")


class ProblemDetails(BaseModel):
    """Why a request was not carried out (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="a readable slug; those of documents are in docs/reference/problems.md")
    detail: str
    problems: list[ProblemView] = Field(description="every reason at once, with its place and what to do")
    conflicts: list[ConflictView] = Field(default=[], description="of a `conflict`: both versions by path")


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemDetails, "description": "Refused; nothing was written"},
    "5XX": {
        "model": ProblemDetails,
        "description": "Not now: try again after `Retry-After` seconds",
        "headers": {"Retry-After": {"description": "Seconds; of 503.", "schema": {"type": "integer"}}},
    },
}
"""What every route may answer instead of success."""


class Refusal(Exception):
    """An answer other than success; `code` is a readable slug."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        problems: Sequence[Problem] = (),
        conflicts: Sequence[ConflictView] = (),
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.problems, self.conflicts = problems, conflicts


def not_found(what: str) -> Refusal:
    """Refuse because there is no such thing: also the answer for another tenant's."""
    return Refusal(HTTPStatus.NOT_FOUND, "not-found", f"{what} does not exist")


OF_PROBLEMS = {
    "forbidden": HTTPStatus.FORBIDDEN,
    "not-an-approver": HTTPStatus.FORBIDDEN,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "approval-missing": HTTPStatus.CONFLICT,
    "plan-changed": HTTPStatus.CONFLICT,
    "change-not-open": HTTPStatus.CONFLICT,
    "change-updated": HTTPStatus.CONFLICT,
    "too-many-changes": HTTPStatus.CONFLICT,
}
"""Of problems that are the whole reason; any others are the document's."""


def refusal(problems: Sequence[Problem], conflicts: Sequence[ConflictView] | None = None) -> Refusal:
    """Return the answer that lists these problems; with `conflicts`, what the client had read has changed since."""
    if conflicts is not None:
        detail = "the document changed since it was read; nothing was written"
        return Refusal(HTTPStatus.CONFLICT, "conflict", detail, problems, conflicts)
    codes = {problem.code for problem in problems}
    if len(codes) == 1 and (status := OF_PROBLEMS.get(problems[0].code)):
        return Refusal(status, problems[0].code, problems[0].message, problems)
    detail = f"refused for {len(problems)} problem{'s' if len(problems) != 1 else ''}; nothing was written"
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-intent", detail, problems)


def seen(problems: Iterable[Problem]) -> list[ProblemView]:
    """Return problems as clients see them: what names other tenants is not among it."""
    return [ProblemView.model_validate(problem) for problem in problems]


def answer(request: Request, refused: Refusal) -> Response:
    """Return a problem+json response; to a browser that navigates, a page that says the same."""
    status = refused.status
    if wants_page(request):
        return error_page(status, refused.detail, refused.problems)
    body = ProblemDetails(
        type=f"urn:ordain:problem:{refused.code}",
        title=status.phrase,
        status=status.value,
        code=refused.code,
        detail=refused.detail,
        problems=seen(refused.problems),
        conflicts=list(refused.conflicts),
    )
    headers = {"Retry-After": str(RETRY_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    # What a client sent comes back in it, and half of a UTF-16 pair is no UTF-8: everything is escaped.
    return Response(json.dumps(body.model_dump()).encode(), status.value, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of the application problem+json, or a page for people."""

    @app.exception_handler(Refusal)
    async def _refusal(request: Request, refused: Refusal) -> Response:
        return answer(request, refused)

    @app.exception_handler(InvalidIntent)
    async def _invalid(request: Request, invalid: InvalidIntent) -> Response:
        return answer(request, refusal(invalid.problems))

    @app.exception_handler(KeyReused)
    async def _reused(request: Request, reused: KeyReused) -> Response:
        detail = f"{reused}; choose another Idempotency-Key"
        return answer(request, Refusal(HTTPStatus.CONFLICT, "idempotency-key-reused", detail))

    @app.exception_handler(Waiting)
    async def _waiting(request: Request, waiting: Waiting) -> Response:
        return answer(request, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", f"try again soon: {waiting}"))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return answer(request, Refusal(status, status.phrase.lower().replace(" ", "-"), str(error.detail)))

    @app.exception_handler(RequestValidationError)
    async def _body(request: Request, error: RequestValidationError) -> Response:
        problems = [
            Problem("invalid-value", "", 0, 0, each["msg"], field=".".join(str(part) for part in each["loc"][1:]))
            for each in error.errors()
        ]
        refused = Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "the request cannot be read", problems)
        return answer(request, refused)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, _: Exception) -> Response:
        detail = "the server met something it was not made for; its log has more"
        return answer(request, Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail))
