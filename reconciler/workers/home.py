"""Main where a forge is its home: what is there is the truth, and nothing counts before it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.remote import RefUpdate
from reconciler.ports.remotes import HOME, RemoteLedger
from reconciler.ports.repository import MAIN
from reconciler.workers.home_branch import HomeBranch
from reconciler.workers.loop import Backoff

log = logging.getLogger(__name__)

POLL_SECONDS = 10.0
"""How late a move by others is seen where no webhook tells of it and nothing is written: a look is one `ls-remote`."""
ROOM_SECONDS = 0.5
"""What is left between two pushes for others to get theirs in: whoever is overtaken has to fetch before the next try,
and would lose against one that pushes without a break for as long as that goes on. What is asked meanwhile goes with
the next push."""


@dataclass
class Home:
    """The writer's view of a forge that is home: follow it, land on it, or wait and say for what."""

    branch: HomeBranch
    ledger: RemoteLedger
    clock: Callable[[], float]
    """A clock that only goes forward, in seconds."""
    _due: float = float("-inf")
    _landed: float = float("-inf")
    _told: str | None = None
    _backoff: Backoff = field(default_factory=Backoff)

    def look(self) -> None:
        """Look again at the next turn: someone says that main moved."""
        self._due = float("-inf")

    async def follow(self) -> str | None:
        """Return the newest main, moved here to what the forge has; None where nothing may be written now.

        Why is told in the ledger, and looked at again with growing pauses.
        """
        await asyncio.sleep(self._landed + ROOM_SECONDS - self.clock())
        if self.clock() >= self._due:
            await self._try(self.branch.settle)
        established = await asyncio.to_thread(lambda: self.branch.is_established)
        return None if self._told and established else await self._main()

    async def land(self, base: str, new: str, along: Sequence[RefUpdate] = ()) -> str | None:
        """Put `new`, which descends from `base`, on the forge's main; return the newest main, here as there.

        `along` are branches of changes that `new` merges, as for `HomeBranch.land`.

        That is `new` where it was taken, and else what others made of it: then `new` may or may not be among its
        ancestors. None where that is not known yet.
        """
        known = await self._try(lambda: self.branch.land(base, new, along))
        newest = await self._main() if known else None
        if newest == new:
            self._landed = self.clock()
        return newest

    async def _main(self) -> str | None:
        return await asyncio.to_thread(self.branch.repository.head, MAIN)

    async def _try(self, deed: Callable[[], None]) -> bool:
        """Do it; where something is in the way say so, once, and set when to look again."""
        problem = await asyncio.to_thread(self._problem_of, deed)
        if not problem:
            self._backoff.reset()
        self._due = self.clock() + (self._backoff.next() if problem else POLL_SECONDS)
        if problem != self._told:
            log.log(logging.ERROR if problem else logging.INFO, "home: %s", problem or "nothing is in the way")
            await self.ledger.tell(HOME, self.branch.remote.address, problem)
            self._told = problem
        return not problem

    def _problem_of(self, deed: Callable[[], None]) -> str:
        try:
            deed()
        except (Waiting, Stalled) as problem:
            return str(problem)
        return ""
