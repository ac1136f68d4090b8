"""Whom git names as the author of what a request writes."""

from __future__ import annotations

from datetime import datetime

from reconciler.planning.writing import WriteRequest
from reconciler.ports.repository import Signature


def author_of(request: WriteRequest) -> tuple[Signature, datetime | None]:
    """Return who wrote it, and when, where that was before it was asked for: of a push, what its commit says."""
    user = request.principal.user
    if request.author is None:
        return Signature(user, request.email or user), None
    said = request.author
    return Signature(said.name or said.email or user, said.email), said.at
