"""One connection to a platform: requests, asked again while that helps, and errors by what happens next."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from api.client.address import Address
from api.client.errors import ClientError, Refused, Unavailable, error_of, unreachable
from api.client.views import Page

TIMEOUT = httpx.Timeout(45.0, connect=5.0)
"""Longer than the API's longest `?wait=`, which is 30 s."""

API = "/api/v1"

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Query = Mapping[str, str | int | float | list[str]]


@dataclass(frozen=True)
class Patience:
    """How long, and how often, something is asked again that is not available."""

    seconds: float = 30.0
    """From the first time on; no later pause is begun that would end after that."""
    first: float = 0.1
    """The first pause, which doubles with each."""
    most: float = 2.0

    def pause(self, times: int, after: float, chance: float) -> float:
        """Return how long to wait after so many times: at least `after`, else a random part of the pause.

        The whole of it is left to chance, so that many clients of a platform that comes back do not come at once.
        """
        return max(after, chance * min(self.most, self.first * 2.0**times))


@dataclass(frozen=True)
class Means:
    """What a connection uses of the world; tests give their own."""

    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class Connection:
    """Requests to one platform, as one tenant sees it where one is given.

    A client reads its own writes: the newest commit that one of them became goes along with every read as `minCommit`.
    """

    def __init__(
        self,
        address: Address,
        *,
        tenant: str | None = None,
        token: str | None = None,
        patience: Patience | None = None,
        tell: Callable[[Unavailable], None] | None = None,
        means: Means | None = None,
    ) -> None:
        """Prepare; enter to connect. `tell` is told each time before something is asked again."""
        self.address, self._means = address, means or Means()
        self._patience, self._tell = patience or Patience(), tell
        self._own: str | None = None
        self._http = httpx.Client(
            base_url=f"{address.url}/t/{quote(tenant, safe='')}" if tenant else address.url,
            headers={"Host": address.host} | ({"Authorization": f"Bearer {token}"} if token else {}),
            timeout=TIMEOUT,
            transport=self._means.transport,
            trust_env=not address.is_here,  # no proxy of the environment leads to this machine
        )

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._http.__exit__(kind, error, trace)

    def wrote(self, commit: str | None) -> None:
        """Let every later read reflect this commit, where a write became one."""
        self._own = commit or self._own

    def read(self, path: str, query: Query | None = None, *, accept: str = "application/json") -> httpx.Response:
        """Return what is at a path of the API. Raises ClientError."""
        least = {"minCommit": self._own} if self._own else {}
        return self.again("GET", path, query={**(query or {}), **least}, headers={"Accept": accept})

    def view(self, form: type[M], path: str, query: Query | None = None) -> M:
        """Return the same as `form`."""
        return self.parsed(form, self.read(path, query))

    def pages(self, form: type[Page[T]], path: str, query: Query) -> Iterator[T]:
        """Yield what is in a list of the API, page by page."""
        cursor: str | None = None
        while True:
            page = self.view(form, path, {**query, **({"cursor": cursor} if cursor else {})})
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def again(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request that may be repeated, until it is answered or patience ends. Raises ClientError.

        The last Unavailable is raised where the next pause would outlast patience.
        """
        deadline, times = time.monotonic() + self._patience.seconds, 0
        while True:
            try:
                return self.once(method, path, **request)
            except Unavailable as passing:
                pause = self._patience.pause(times, passing.after, self._means.chance())
                if not _helps(passing) or time.monotonic() + pause > deadline:
                    raise
                if self._tell:
                    self._tell(passing)
            self._means.sleep(pause)
            times += 1

    def once(self, method: str, path: str, *, query: Query | None = None, **request: Any) -> httpx.Response:
        """Send one request, and return the answer where it is success. Raises ClientError."""
        try:
            response = self._http.request(method, path, params=query, **request)
        except httpx.TransportError as error:
            raise unreachable(error) from error
        if not response.is_success:
            raise error_of(response)
        return response

    def parsed(self, form: type[M], response: httpx.Response) -> M:
        """Return an answer as `form`; another server than ordain's API answers something else."""
        try:
            return form.model_validate_json(response.content)
        except ValidationError as error:
            raise self.foreign(response) from error

    def foreign(self, response: httpx.Response) -> ClientError:
        """Return the error that an answer is which the API does not give."""
        detail = f"{self.address} answers {response.request.url.path} as ordain's API does not: is that its address?"
        return Refused(detail, code="foreign-answer", status=response.status_code)


def _helps(passing: Unavailable) -> bool:
    """Whether asking again may help soon; a mistake of the server's stays one."""
    return passing.status != HTTPStatus.INTERNAL_SERVER_ERROR
