"""The HTTP application: routes of the API under /api/v1, operations, and the panel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from api.http import (
    changes,
    deployments,
    events,
    git,
    history,
    intents,
    models,
    operations,
    plan,
    problems,
    requests,
    reviews,
    runs,
    schedules,
    templates,
    training_jobs,
    webhooks,
)
from api.http.browsers import refuse_foreign_writes
from api.http.caller import TenantInPath
from api.http.commits import HEADER, CommitHeader
from api.http.context import ApiContext
from api.panel import pages

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

NOUNS = (
    templates,
    runs,
    schedules,
    training_jobs,
    models,
    deployments,
    intents,
    history,
    changes,
    reviews,
    plan,
    requests,
    events,
)


def create_app(context: ApiContext, lifespan: Lifespan) -> FastAPI:
    """Return the application on `context`; `lifespan` opens and closes what it stands on."""
    app = FastAPI(
        title="ordain",
        version="0.1.0",
        lifespan=lifespan,
        docs_url="/api/docs",
        openapi_url="/api/openapi.json",
    )
    app.state.context = context
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(refuse_foreign_writes)])
    for noun in NOUNS:
        api.include_router(noun.router)
    app.include_router(api, responses=problems.PROBLEM_RESPONSES)
    # Webhooks are signed, whatever their Origin and type say.
    app.include_router(webhooks.router, prefix="/api/v1", responses=problems.PROBLEM_RESPONSES)
    app.include_router(operations.router, responses=problems.PROBLEM_RESPONSES)
    app.include_router(git.router)
    app.include_router(pages.router)
    problems.install(app)
    app.add_middleware(TenantInPath)
    app.add_middleware(CommitHeader)
    app.openapi = lambda: _documented(app)  # type: ignore[method-assign]
    return app


def _documented(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: refusals are problem+json, and answers name the commit that they reflect."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for path in found["paths"].values():
            for operation in path.values():
                _document(operation["responses"])
        app.openapi_schema = found
    return app.openapi_schema


def _document(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        forms = [each["schema"] for each in response.get("content", {}).values() if "schema" in each]
        refused = [form for form in forms if form.get("$ref", "").endswith("/ProblemDetails")]
        if refused:
            response["content"] = {problems.MEDIA_TYPE: {"schema": refused[0]}}
        elif status.startswith("2"):
            description = "The commit that the answer reflects."
            response.setdefault("headers", {})[HEADER] = {"description": description, "schema": {"type": "string"}}
