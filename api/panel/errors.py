"""Refusals as pages, for those who came with a browser."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.panel.links import Links
from api.panel.rendering import page
from intents.problems import Problem


def wants_page(request: Request) -> bool:
    """Say whether a browser navigates here; the API always answers in JSON."""
    return "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/api/")


def error_page(status: HTTPStatus, detail: str, problems: Sequence[Problem]) -> HTMLResponse:
    """Return a refusal as a page that leads back to where everyone may go."""
    return page("error.html.j2", Links(), status, phrase=status.phrase, detail=detail, problems=problems)
