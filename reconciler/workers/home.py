"""Main where a forge is its home: what is there is the truth, and nothing counts before it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from intents.documents import of_spec
from intents.kinds import PlatformSpec
from intents.problems import InvalidIntent
from intents.reading import read
from intents.tree import PLATFORM_PATH
from reconciler.planning.remote import Attempt, Follow, Push, Rest, Sight, Stop, Wait, home_step
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.remote import Pushed, RefUpdate, Remote
from reconciler.ports.remotes import HOME, RemoteLedger
from reconciler.ports.repository import MAIN, Repository
from reconciler.workers.loop import Backoff
from reconciler.workers.remote_branch import RemoteBranch, place_of

log = logging.getLogger(__name__)

POLL_SECONDS = 10.0
"""How late a move by others is seen where no webhook tells of it and nothing is written: a look is one `ls-remote`."""

CRASH_POINTS = ("before-push", "after-push")


@dataclass
class Home:
    """Main on a forge, and main here, which only ever moves to what the forge is known to have.

    A forge is home from the moment on at which it has all of main; until then, after `home` was changed in
    platform.yaml, main stays here and goes there as soon as that is possible. Where it was last known to be on the
    forge is kept in a ref of the repository here, so that a main that was put back is told from one that has not
    come yet.
    """

    repository: Repository
    remote: Remote
    ledger: RemoteLedger
    clock: Callable[[], float]
    """A clock that only goes forward, in seconds."""
    reached: Callable[[str], None] = lambda _: None
    """Called at each of CRASH_POINTS; crash tests end the process there."""
    _due: float = float("-inf")
    _told: str | None = None
    _backoff: Backoff = field(default_factory=Backoff)

    def look(self) -> None:
        """Look again at the next turn: someone says that main moved."""
        self._due = float("-inf")

    async def follow(self) -> str | None:
        """Return the newest main, moved here to what the forge has; None where nothing may be written now.

        Why is told in the ledger, and looked at again with growing pauses.
        """
        if self.clock() >= self._due:
            await self._tell(await asyncio.to_thread(self._problem_of, self._settle))
        established = await asyncio.to_thread(self._is_established)
        if self._told and established:
            return None
        return await asyncio.to_thread(self.repository.head, MAIN)

    async def land(self, base: str, new: str) -> str | None:
        """Put `new`, which descends from `base`, on the forge's main; return the newest main, here as there.

        That is `new` where it was taken, and else what others made of it: then `new` may or may not be among its
        ancestors. None where that is not known yet.
        """
        if not await asyncio.to_thread(self._is_established):
            await asyncio.to_thread(self.repository.move, MAIN, base, new)
            return new
        await self._tell(await asyncio.to_thread(self._problem_of, lambda: self._land(base, new)))
        return None if self._told else await asyncio.to_thread(self.repository.head, MAIN)

    def _problem_of(self, deed: Callable[[], None]) -> str:
        """Do it, and return what is in the way."""
        try:
            deed()
        except (Waiting, Stalled) as problem:
            return f"{self.remote.address}: {problem}"
        return ""

    async def _tell(self, problem: str) -> None:
        """Say what is in the way, once, and set when to look again."""
        pause = self._backoff.next() if problem else POLL_SECONDS
        self._due = self.clock() + pause
        if not problem:
            self._backoff.reset()
        if problem != self._told:
            log.log(logging.ERROR if problem else logging.INFO, "home: %s", problem or "nothing is in the way")
            await self.ledger.tell(HOME, problem)
            self._told = problem

    def _land(self, base: str, new: str) -> None:
        self.reached("before-push")
        pushed = self.remote.push([RefUpdate(MAIN, base, new)])
        self.reached("after-push")
        if pushed.attempt is Attempt.ACCEPTED:
            self._follow(base, new)
        else:
            self._settle(pushed)

    def _settle(self, pushed: Pushed | None = None) -> None:
        """Look, and do what there is to do, until main is the same here and there; `pushed` is what went before."""
        attempt, said = (pushed.attempt, pushed.said) if pushed else (Attempt.NONE, "")
        sight = RemoteBranch(self.repository, self.remote, MAIN).look(self._known(), fetch=True)
        match home_step(sight, attempt, said):
            case Rest():
                self._know(sight.there)
            case Follow(commit):
                self._expect_our_platform(sight)
                self._follow(sight.here, commit)
            case Push(expected, commit):
                self._settle(self.remote.push([RefUpdate(MAIN, expected, commit)]))
            case Wait(reason):
                raise Waiting(reason)
            case Stop(reason):
                raise Stalled(reason)

    def _follow(self, here: str | None, commit: str) -> None:
        """Move main here, then know it: after a crash in between, the next look follows to the same."""
        self.repository.move(MAIN, here, commit)
        self._know(commit)

    def _expect_our_platform(self, sight: Sight) -> None:
        """Raise Stalled where main on the forge has no platform.yaml to go on with, or another platform's."""
        theirs = _platform_of(self.repository, sight.there or "")
        ours = None if sight.here is None else _platform_of(self.repository, sight.here)
        if ours is not None and ours.repository.uid != theirs.repository.uid:
            raise Stalled(
                f"{PLATFORM_PATH} at {sight.there} has the repository uid {theirs.repository.uid}, ours has "
                f"{ours.repository.uid}: it is another platform's, or the uid was changed; put it back"
            )

    @property
    def _known_ref(self) -> str:
        return f"refs/ordain/home/{place_of(self.remote.address)}"

    def _known(self) -> str | None:
        return self.repository.head(self._known_ref)

    def _is_established(self) -> bool:
        return self._known() is not None

    def _know(self, commit: str | None) -> None:
        known = self._known()
        if commit is not None and commit != known:
            self.repository.move(self._known_ref, known, commit)


def _platform_of(repository: Repository, commit: str) -> PlatformSpec:
    body = repository.read(commit, PLATFORM_PATH)
    try:
        document = None if body is None else of_spec(read(PLATFORM_PATH, body, ""), PlatformSpec)
    except InvalidIntent as invalid:
        raise Stalled(f"{PLATFORM_PATH} at {commit} cannot be read: {invalid}; correct it there") from invalid
    if document is None:
        raise Stalled(f"there is no {PLATFORM_PATH} at {commit}; put it back there")
    return document.spec
