"""Cursors of lists: opaque to clients, the last row's sort key inside."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from api.http.problems import Refusal
from reconciler.ports.reads import Page


def cursor_of(at: datetime, uid: UUID) -> str:
    """Return the cursor of the page after this row."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {uid}".encode()).decode()


def page_of(limit: int, cursor: str | None) -> Page:
    """Return the page a client asked for."""
    if cursor is None:
        return Page(limit)
    try:
        at, _, uid = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        return Page(limit, (datetime.fromisoformat(at), UUID(uid)))
    except (ValueError, binascii.Error) as error:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "bad-cursor", "use the `next` of an earlier page as the cursor"
        ) from error
