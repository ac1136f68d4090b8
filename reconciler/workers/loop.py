"""The one way a loop runs: turn until idle, then wait for a wake-up or the sweep, back off on errors."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from reconciler.ports.errors import Conflict, Stalled, Waiting
from reconciler.ports.status_ledger import Leases

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
"""How late a lost wake-up can make a loop."""
BACKOFF_SECONDS = (0.2, 10.0)
"""First and longest pause after errors; doubled in between."""
LEASE_SECONDS = 5.0
"""After a kill -9 of its holder another process takes a loop over after this."""


class Turned(Enum):
    """What one turn came to."""

    IDLE = auto()
    ONE = auto()


Turn = Callable[[], Awaitable[Turned]]


@dataclass
class Wake:
    """A wake-up that carries no data: it only says "look again"."""

    _event: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self) -> None:
        """Wake the loop."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return at the next wake-up, at the latest after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


@dataclass
class Backoff:
    """Growing pauses with jitter, reset by success."""

    failures: int = 0

    def reset(self) -> None:
        """Begin with the shortest pause again."""
        self.failures = 0

    def next(self) -> float:
        """Return the seconds to wait after one more failure."""
        first, longest = BACKOFF_SECONDS
        pause: float = min(longest, first * 2**self.failures)
        self.failures = min(self.failures + 1, 30)
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, keeps no secret


@dataclass(frozen=True)
class LoopLease:
    """The lease under which only one process of several runs a loop."""

    leases: Leases
    name: str
    holder: str

    async def hold(self) -> bool:
        """Take or renew it."""
        return await self.leases.hold(self.name, self.holder, LEASE_SECONDS)


async def run_loop(
    name: str, turn: Turn, wake: Wake, *, lease: LoopLease | None = None, sweep: float = SWEEP_SECONDS
) -> None:
    """Turn for ever; ends only by cancellation. No error ends the loop: each is said and tried again."""
    backoff = Backoff()
    while True:
        try:
            if lease is not None and not await lease.hold():
                await asyncio.sleep(LEASE_SECONDS / 5)
                continue
            turned = await turn()
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop goes on
            pause = _pause(name, error, backoff)
            await asyncio.sleep(pause)
            continue
        backoff.reset()
        if turned is Turned.IDLE:
            await wake.wait(sweep)


def _pause(name: str, error: Exception, backoff: Backoff) -> float:
    """Say what happened and return how long to wait before the next turn."""
    match error:
        case Conflict():
            log.info("%s: %s; deciding anew", name, error)
        case Waiting():
            log.info("%s waits: %s", name, error)
            return max(error.after, backoff.next())
        case Stalled():
            log.error("%s is stalled: %s", name, error)
        case _:
            log.error("%s failed", name, exc_info=error)
    return backoff.next()


async def wake_on(hints: Callable[[], AsyncIterator[str]], *wakes: Callable[[], None]) -> None:
    """Wake loops at every hint, for ever; a broken source is opened again with back-off."""
    backoff = Backoff()
    while True:
        try:
            async for _ in hints():
                backoff.reset()
                for wake in wakes:
                    wake()
        except Waiting as waiting:
            log.debug("hints: %s", waiting)
        await asyncio.sleep(backoff.next())
