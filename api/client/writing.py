"""Writes: sent under one key however often, until they are answered, and waited for until they are committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from api.client.connection import Connection, Query
from api.client.errors import Unavailable
from api.client.views import State, Written

ANY = "any"
"""Whatever stands at the path."""
ABSENT = "absent"
"""Nothing stands at the path."""
LONGEST_ASK = 20.0
"""Seconds for which one request waits for its commit; the API lets them wait for 30."""

W = TypeVar("W", bound=Written)


@dataclass(frozen=True)
class Asking:
    """How a write is asked for."""

    wait: float = 60.0
    """Seconds to wait for the commit; what waits longer is returned as it is, and committed later."""
    key: str | None = None
    """The Idempotency-Key, to ask once more for what was asked under it before; made where there is none."""
    waiting: Callable[[Written], None] | None = None
    """Told of a request that is durable and not committed yet, again and again."""
    change: str | None = None
    """An open change of one's own, to be updated by the write."""
    merge_when_approved: bool = False
    """Should the write need approval: its change is merged with the last one that it needs."""

    @property
    def query(self) -> Query:
        """What the API is asked by these."""
        found: dict[str, str] = {"wait": f"{min(self.wait, LONGEST_ASK):.2f}"}
        if self.change:
            found["change"] = self.change
        if self.merge_when_approved:
            found["merge"] = "when-approved"
        return found


WAIT = Asking()


def write(
    connection: Connection,
    form: type[W],
    method: str,
    path: str,
    asking: Asking,
    *,
    expects: str = ANY,
    query: Query | None = None,
    media_type: str = "",
    **body: Any,
) -> W:
    """Ask for a write and return what became of it. Raises ClientError.

    It is sent again under the same key where the answer was lost, and as long as it is waited for: the platform does
    once what is asked under one key, and answers every time.
    """
    asked, deadline = replace(asking, key=asking.key or new_key()), time.monotonic() + asking.wait
    headers = {**_precondition(expects), **({"Content-Type": media_type} if media_type else {})}
    while True:
        left = deadline - time.monotonic()
        once = replace(asked, wait=max(0.0, left))
        response = send(connection, method, path, once, query=query, headers=headers, **body)
        written = connection.parsed(form, response)
        if written.state is not State.WAITING or left <= LONGEST_ASK:
            connection.wrote(written.commit)
            return written.model_copy(update={"created": response.status_code == HTTPStatus.CREATED})
        if asking.waiting:
            asking.waiting(written)


def send(
    connection: Connection,
    method: str,
    path: str,
    asking: Asking,
    *,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    **body: Any,
) -> httpx.Response:
    """Send a write under its key until it is answered, by what then stands. Raises ClientError."""
    key = asking.key or new_key()
    asked, named = {**(query or {}), **asking.query}, {"Idempotency-Key": key, **(headers or {})}
    try:
        return connection.again(method, path, query=asked, headers=named, **body)
    except Unavailable as unavailable:
        unavailable.key = key
        raise


def new_key() -> str:
    """Return an Idempotency-Key that nobody has used."""
    return str(uuid4())


def _precondition(expects: str) -> dict[str, str]:
    if expects == ANY:
        return {}
    return {"If-None-Match": "*"} if expects == ABSENT else {"If-Match": f'"{expects}"'}
