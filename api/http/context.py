"""What the routes need of the world, as ports; the composition root fills it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID
from weakref import WeakValueDictionary

from fastapi import Depends, Request

from api.http.checking import Checks
from api.http.platform_status import PlatformStatus
from reconciler.ports.changes import Changes
from reconciler.ports.git_service import GitService
from reconciler.ports.objects import Objects
from reconciler.ports.pipelines import Pipelines
from reconciler.ports.reads import TenantReads
from reconciler.ports.remotes import RemoteReads
from reconciler.ports.repository import Repository
from reconciler.ports.requests import RequestQueue
from reconciler.workers.open_changes import OpenChanges
from reconciler.workers.tree_at_head import TreeAtHead


@dataclass(frozen=True)
class Hint:
    """The next hint after the moment at which this was taken."""

    _event: asyncio.Event

    async def wait(self, seconds: float) -> None:
        """Return when it came, at the latest after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass


class Broadcast:
    """Wakes everyone who waits, at each hint; a waiter always looks again for itself."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Wake all waiters."""
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> Hint:
        """Return the next hint: taken before a look, it is not lost where it comes between look and wait."""
        return Hint(self._event)


class Answers(Broadcast):
    """Wakes who waits for the requests that were answered, and who waits for any."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        super().__init__()
        self._of: WeakValueDictionary[UUID, asyncio.Event] = WeakValueDictionary()

    def __call__(self, ids: str = "") -> None:
        """Wake those who wait for these requests, by their ids with spaces between; everyone, where none is named."""
        super().__call__()
        for request in map(UUID, ids.split()) if ids else list(self._of):
            event = self._of.pop(request, None)
            if event is not None:
                event.set()

    def of(self, request: UUID) -> Hint:
        """Return the next hint that this request was answered; taken before a look, it is not lost."""
        event = self._of.get(request)
        if event is None:
            event = self._of[request] = asyncio.Event()
        return Hint(event)


@dataclass(frozen=True)
class ApiContext:
    """Everything the API acts on; it writes to the request queue and nowhere else."""

    head: TreeAtHead
    repository: Repository
    queue: Callable[[str], RequestQueue]
    """The queue as one tenant sees it."""
    changes: Callable[[str], Changes]
    """The changes that one tenant sees."""
    reads: Callable[[str], TenantReads]
    pipelines: Pipelines
    """For the logs of tasks."""
    objects: Objects
    platform_status: PlatformStatus
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    open_changes: OpenChanges
    remotes: RemoteReads
    webhook_secret: Callable[[str], str | None]
    """Returns what the forge at an address signs its webhooks with, or None; blocks, raises Stalled."""
    hint_forge: Callable[[], Awaitable[None]]
    """Lets whoever follows the forge look there now."""
    git: GitService
    answered: Answers = field(default_factory=Answers)
    happened: Broadcast = field(default_factory=Broadcast)
    checks: Checks = field(default_factory=Checks)


def context_of(request: Request) -> ApiContext:
    """Return the context of the application that serves this request."""
    return cast(ApiContext, request.app.state.context)


async def _context(request: Request) -> ApiContext:
    """Return the same, for routes: FastAPI takes a thread for a dependency that is no coroutine."""
    return context_of(request)


ContextDep = Annotated[ApiContext, Depends(_context)]
