"""One kind of object, followed: listed once, then told by a watch that goes on from where it was.

As Kubernetes' own reflectors do: the list's resourceVersion begins the watch, bookmarks keep that fresh while nothing
happens, a broken connection goes on from the last one, and 410 Gone, which says that the server has forgotten it,
lists anew.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx

from reconciler.drivers.kubernetes.access import CONNECT_SECONDS, ApiServer, refuse_failure
from reconciler.planning.cluster_objects import Key, Object, key_of
from reconciler.ports.errors import Stalled, Waiting

log = logging.getLogger(__name__)

T = TypeVar("T")

PAGE = 500
WATCH_SECONDS = (240, 360)
"""How long a watch may last, told to the server; spread, so that those of all kinds do not end together."""
SILENCE_SECONDS = 100.0
"""Longest without a word: the API server sends a bookmark about every minute, so after this the line is dead."""
BACKOFF_SECONDS = (0.2, 10.0)


class _Gone(Exception):
    """The server has forgotten the version to go on from."""


class _Unknown(Exception):
    """The server does not know whoever asks by `client`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__()
        self.client = client


@dataclass(frozen=True)
class Source(Generic[T]):
    """A kind of object to follow, in one namespace or all, and what of each is kept."""

    path: str
    """`/apis/<group>/<version>[/namespaces/<namespace>]/<plural>`."""
    reduce: Callable[[Object], T | None]
    """None where nothing of an object is worth keeping."""
    selector: str = ""
    """Of labels."""


@dataclass
class Watch(Generic[T]):
    """Follows one source until it is cancelled."""

    server: ApiServer
    source: Source[T]
    changed: Callable[[], None]
    objects: dict[Key, T] = field(default_factory=dict)
    is_listed: bool = False
    trouble: str = "it was not listed yet"
    """Why the objects may be old; empty while they are followed."""
    _version: str = ""
    """Where to go on; empty where only a list will do."""
    _failures: int = 0
    """In a row."""

    async def run(self) -> None:
        """Follow for ever. No error ends it: each is said in `trouble` and tried again, with back-off."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._follow()
                pause = BACKOFF_SECONDS[0]
            except _Gone:
                self._version, pause = "", BACKOFF_SECONDS[0]
            except _Unknown as unknown:
                await self.server.forget(unknown.client)
                self._lost(Waiting("the API server does not know whoever asks; the credentials are read again"))
                pause = self._next_pause()
            except Exception as error:  # noqa: BLE001 - whatever it is, the kind is followed again
                self._lost(error)
                pause = self._next_pause()
            await asyncio.sleep(pause)

    async def _list(self) -> None:
        """Take what is there in place of what was known."""
        found: dict[Key, T] = {}
        following, version = "", ""
        while True:
            query = {"limit": str(PAGE), **self._selected(), **({"continue": following} if following else {})}
            answer = await self.server.ask("GET", self.source.path, params=query)
            if answer.status_code == HTTPStatus.GONE:
                raise _Gone
            self._refuse(answer)
            listed = answer.json()
            for each in listed.get("items") or ():
                self._keep(found, each)
            version, following = listed["metadata"]["resourceVersion"], listed["metadata"].get("continue", "")
            if not following:
                break
        self.objects.clear()
        self.objects.update(found)
        self._version, self.is_listed = version, True
        self._told()

    async def _follow(self) -> None:
        """Be told what changes, until the server ends it."""
        query = {
            **self._selected(),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),  # noqa: S311 - spreads load, keeps no secret
        }
        client, patience = await self.server.client(), httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        async with client.stream("GET", self.source.path, params=query, timeout=patience) as answer:
            if answer.status_code == HTTPStatus.GONE:
                raise _Gone
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                raise _Unknown(client)
            self._refuse(answer)
            self._failures = 0
            if self.trouble:
                self._told()
            async for event in _events(answer):
                self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, found = event["type"], event["object"]
        if kind == "ERROR":
            if found.get("code") == HTTPStatus.GONE:
                raise _Gone
            raise Waiting(f"the watch of {self.source.path} ended: {found.get('message', found)}")
        self._version = found["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return
        before = self.objects.pop(key_of(found), None)
        if kind != "DELETED":
            self._keep(self.objects, found)
        if self.objects.get(key_of(found)) != before:
            self.changed()

    def _keep(self, objects: dict[Key, T], found: Object) -> None:
        reduced = self.source.reduce(found)
        if reduced is not None:
            objects[key_of(found)] = reduced

    def _selected(self) -> dict[str, str]:
        return {"labelSelector": self.source.selector} if self.source.selector else {}

    def _refuse(self, answer: httpx.Response) -> None:
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise Stalled(f"the cluster does not know {self.source.path}: install what serves it")
        refuse_failure(answer, f"watching {self.source.path}")

    def _told(self) -> None:
        if self.trouble and self.is_listed:
            log.info("following %s", self.source.path)
        self.trouble = ""
        self.changed()

    def _next_pause(self) -> float:
        first, longest = BACKOFF_SECONDS
        pause: float = min(longest, first * 2 ** min(self._failures, 30))
        self._failures += 1
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, keeps no secret

    def _lost(self, error: Exception) -> None:
        trouble = str(error) if isinstance(error, Waiting | Stalled) else f"the API server went away: {error!r}"
        if trouble != self.trouble:
            log.warning("%s is not followed: %s", self.source.path, trouble)
            self.trouble = trouble
            self.changed()


async def _events(answer: httpx.Response) -> AsyncIterator[Mapping[str, Any]]:
    """Yield a watch's events: one JSON document a line, of any length."""
    rest = b""
    async for chunk in answer.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
