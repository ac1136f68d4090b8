"""Cursors of lists: opaque to clients, the last row's sort key inside."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from api.http.problems import Refusal
from intents.documents import Document, S_co
from reconciler.planning.changes import ChangeId
from reconciler.ports.reads import Page


def cursor_of(at: datetime, uid: UUID) -> str:
    """Return the cursor of the page after this row."""
    return next_cursor(f"{at.isoformat()} {uid}")


def page_of(limit: int, cursor: str | None) -> Page:
    """Return the page a client asked for."""
    if cursor is None:
        return Page(limit)
    try:
        at, _, uid = text_of_cursor(cursor).partition(" ")
        return Page(limit, (_aware(at), UUID(uid)))
    except ValueError as error:
        raise _bad_cursor() from error


def change_page_of(cursor: str | None) -> tuple[datetime, ChangeId] | None:
    """Return the change before which a page begins; None for the first."""
    if cursor is None:
        return None
    try:
        at, _, change = text_of_cursor(cursor).partition(" ")
        return _aware(at), ChangeId(change)
    except ValueError as error:
        raise _bad_cursor() from error


def next_cursor(key: str) -> str:
    """Return the cursor of the page after the row with this key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def text_of_cursor(cursor: str | None) -> str:
    """Return the key of the row after which a page begins; empty for the first."""
    try:
        text = base64.b64decode(cursor or "", altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise _bad_cursor() from error
    if not text.isprintable():
        raise _bad_cursor()
    return text


def number_of_cursor(cursor: str | None) -> int | None:
    """Return the same as a number; None for the first page."""
    text = text_of_cursor(cursor)
    if text and not (text.isdecimal() and int(text) < 2**63):
        raise _bad_cursor()
    return int(text) if text else None


def page_by_name(
    documents: Iterable[Document[S_co]], limit: int, cursor: str | None
) -> tuple[list[Document[S_co]], str | None]:
    """Return a page of documents by name, and the cursor of the next."""
    after = text_of_cursor(cursor)
    found = sorted((each for each in documents if each.identity.name > after), key=lambda each: each.identity.name)
    return found[:limit], next_cursor(found[limit - 1].identity.name) if len(found) > limit else None


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _bad_cursor() -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "bad-cursor", "use the `next` of an earlier page as the cursor")
