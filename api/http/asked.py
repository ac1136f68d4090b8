"""How a write is asked for: waiting, trying it out, preconditions, and the key under which it may be sent again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, Header, Query, Request

from api.http.caller import Caller
from api.http.problems import Refusal
from reconciler.planning.changes import ID_PATTERN as CHANGE_PATTERN
from reconciler.planning.changes import ChangeId, Deed, OfChange
from reconciler.planning.idempotency import RequestKey
from reconciler.planning.writing import ABSENT

_ETAG = re.compile(r'"([0-9a-f]{40})"')


@dataclass(frozen=True)
class Asked:
    """What headers and query say of a write, whatever it writes."""

    wait: float
    dry_run: bool
    key: str | None
    if_match: str | None
    """The blob id that must stand there."""
    if_absent: bool
    body: bytes
    """The bytes of the request's body."""
    place: str
    """Method and path of the request."""
    change: ChangeId | None = None
    """The open change that the write is a part of."""
    merge_when_approved: bool = False

    @property
    def of_change(self) -> OfChange | None:
        """What the write does to a change that is there."""
        return OfChange(self.change, Deed.UPDATE) if self.change else None

    def expects(self, otherwise: str) -> str:
        """Return what must stand at the path that the write is about: what the client says, or else `otherwise`."""
        return self.if_match or (ABSENT if self.if_absent else otherwise)

    def refuse_preconditions(self, instead: str) -> None:
        """Refuse what would otherwise be taken for a guard that holds; `instead` says what guards the write."""
        if self.if_match is not None or self.if_absent:
            raise _bad(f"If-Match and If-None-Match are about one path: {instead}")

    def request_key(self, caller: Caller) -> RequestKey | None:
        """Return the request's idempotency key; what decides the effect of a request goes into it."""
        if self.key is None:
            return None
        preconditions = f"{self.if_match} {self.if_absent} {self.change} {self.merge_when_approved}"
        asked = [self.place.encode(), caller.project.encode(), preconditions.encode(), self.body]
        return RequestKey.of(caller.tenant, caller.principal.user, self.key, asked)


Wait = Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the commit before answering 202.")]
DryRun = Annotated[bool, Query(description="Check and plan only: nothing is written.")]
InChange = Annotated[
    str | None,
    Query(
        alias="change",
        pattern=CHANGE_PATTERN,
        description="Add the write to this open change of your own, in place of what it wrote at the same path.",
    ),
]
Merge = Annotated[
    Literal["when-approved"] | None,
    Query(description="Should the write need approval: merge its change with the last one that it needs."),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Sent again with the same request, it gets the same answer, for 7 days; with another, 409.",
    ),
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description='The ETag, `"<blob id>"`, of what must stand there; else 409.')
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="`*`: nothing may stand there; else 409.")
]


async def asked_of(
    request: Request,
    wait: Wait = 0,
    dry_run: DryRun = False,  # noqa: FBT002 - a query parameter
    change: InChange = None,
    merge: Merge = None,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Asked:
    """Read how a write is asked for."""
    return Asked(
        wait=wait,
        dry_run=dry_run,
        key=idempotency_key,
        if_match=_blob(if_match),
        if_absent=_absent(if_none_match, if_match),
        body=await request.body(),
        place=f"{request.method} {request.scope['path']}",
        change=ChangeId(change) if change else None,
        merge_when_approved=merge is not None,
    )


def _blob(if_match: str | None) -> str | None:
    found = None if if_match is None else _ETAG.fullmatch(if_match.strip())
    if if_match is not None and found is None:
        raise _bad('If-Match is one ETag of an intent: `"<blob id>"`, quotes included')
    return found[1] if found else None


def _absent(if_none_match: str | None, if_match: str | None) -> bool:
    if if_none_match is None:
        return False
    if if_none_match.strip() != "*":
        raise _bad("If-None-Match of a write is `*`: nothing may stand there")
    if if_match is not None:
        raise _bad("If-Match and If-None-Match cannot both hold")
    return True


def _bad(detail: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "bad-precondition", detail)


AskedDep = Annotated[Asked, Depends(asked_of)]
