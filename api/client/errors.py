"""What a client is told instead of an answer, named by what happens next."""

from __future__ import annotations

import re
from http import HTTPStatus

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intents.problems import Problem

NOTHING = 0
"""The status where there was no answer."""
_MOST_TEXT = 500
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")


class Text(BaseModel):
    """One version of a document."""

    model_config = ConfigDict(frozen=True)

    blob: str
    content: str


class Disputed(BaseModel):
    """A path that does not hold what the client took to be there, with both versions."""

    model_config = ConfigDict(frozen=True)

    path: str
    base: str | None = None
    """The blob id that was expected; None: nothing was."""
    yours: Text | None = None
    """What the client wants; None: nothing, or that it stays as it was."""
    theirs: Text | None = None
    """What stands there now; None: nothing."""


class ClientError(Exception):
    """The platform did not do what it was asked; nothing was written, unless a subclass says otherwise."""

    def __init__(
        self, detail: str, *, code: str = "", status: int = NOTHING, problems: tuple[Problem, ...] = ()
    ) -> None:
        """Hold the answer: `code` is a readable slug, `status` that of HTTP."""
        super().__init__("\n".join([detail, *(f"  {problem}" for problem in problems)]))
        self.detail, self.code, self.status, self.problems = detail, code, status, problems


class Refused(ClientError):
    """Asked again it will be refused again: what is asked must change. `problems` says where, and how."""


class NotFound(ClientError):
    """There is no such thing, or it is another tenant's."""


class Conflict(ClientError):
    """What the client had read has changed since: read it again and decide on what is there now."""

    def __init__(self, detail: str, disputed: tuple[Disputed, ...], problems: tuple[Problem, ...] = ()) -> None:
        """Hold both versions of every path that changed."""
        paths = ", ".join(each.path for each in disputed)
        super().__init__(f"{detail}: {paths}", code="conflict", status=HTTPStatus.CONFLICT)
        self.disputed, self.problems = disputed, problems

    @property
    def yours(self) -> Text | None:
        """What the client wants at the first path."""
        return self.disputed[0].yours

    @property
    def theirs(self) -> Text | None:
        """What stands at the first path now."""
        return self.disputed[0].theirs


class Unavailable(ClientError):
    """Not now: it can be asked again after `after` seconds. A write may have been taken all the same.

    `key` is then the Idempotency-Key to ask again with: what was taken is answered, and not done twice.
    """

    def __init__(self, detail: str, *, code: str = "", status: int = NOTHING, after: float = 0.0) -> None:
        """Hold how long to wait."""
        super().__init__(detail, code=code, status=status)
        self.after = after
        self.key = ""


class _Problem(BaseModel):
    """The problem+json of the API, the edge and the model servers: each fills in another part."""

    code: str = ""
    detail: str = ""
    error: str = ""
    problems: tuple[Problem, ...] = ()
    conflicts: tuple[Disputed, ...] = Field(default=())


def error_of(response: httpx.Response) -> ClientError:
    """Return the error that an answer other than success is."""
    told = _told(response)
    detail, status = told.detail or told.error or response.reason_phrase, response.status_code
    if response.is_redirect:
        detail = f"{response.url} redirects to {response.headers.get('location')}: use that address"
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(detail, code=told.code, status=status)
    if told.conflicts:
        return Conflict(detail, told.conflicts, told.problems)
    if _is_passing(status, told.code):
        return Unavailable(detail, code=told.code, status=status, after=_after(response))
    return Refused(detail, code=told.code, status=status, problems=told.problems)


def unreachable(error: httpx.TransportError) -> Unavailable:
    """Return the error that the lack of an answer is."""
    url = error.request.url
    why = _ERRNO.sub("", str(error)) or type(error).__name__
    return Unavailable(f"{url.scheme}://{url.netloc.decode()} does not answer: {why}")


def _is_passing(status: int, code: str) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS or code == "min-commit"


def _told(response: httpx.Response) -> _Problem:
    try:
        return _Problem.model_validate_json(response.content)
    except ValidationError:
        text = response.text.strip()[:_MOST_TEXT] or response.reason_phrase
        return _Problem(detail=f"{response.url.copy_with(query=None)} answers {response.status_code}: {text}")


def _after(response: httpx.Response) -> float:
    """Return the seconds of `Retry-After`; a date is none that the API gives."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 0.0
