"""A writer here, a forge that is home there, and what clients were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from intents.authority import Principal
from reconciler.planning.writing import RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.remotes import HOME
from reconciler.ports.requests import Closing
from reconciler.stores.fake_remotes import MemoryRemotes
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.home import Home
from reconciler.workers.home_branch import HomeBranch
from reconciler.workers.loop import Turned
from reconciler.workers.writer import Head, Writer
from tests.support.remotes import FaultyRemote, Held, WatchedQueue
from tests.support.repositories import DEVELOPER, NOON, PLATFORM, intent

RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
RUN = {"template": "train@1.0.0", "parameters": {"rounds": 1}}


class Died(Exception):
    """The writer's process ended here."""


@dataclass
class World:
    """A writer here, a forge there, and what clients were told."""

    here: GitRepository
    there: GitRepository
    remote: FaultyRemote
    ledger: MemoryRemotes = field(default_factory=MemoryRemotes)
    now: float = 0.0
    deaths: list[str] = field(default_factory=list)
    queue: WatchedQueue = field(init=False)
    home: Home = field(init=False)
    writer: Writer = field(init=False)
    head: Head | None = None

    def __post_init__(self) -> None:
        self.queue = WatchedQueue(self.is_on_the_forge)
        self.restart()

    def restart(self) -> None:
        """Begin with a writer that knows nothing."""
        self.home = Home(HomeBranch(self.here, self.remote, self.reached), self.ledger, lambda: self.now)
        self.writer = Writer(self.here, self.queue, PLATFORM, lambda: NOON, self.reached, lambda _: self.home)
        self.head = None

    def reached(self, point: str) -> None:
        if point in self.deaths:
            self.deaths.remove(point)
            raise Died(point)

    def is_on_the_forge(self, closings: Sequence[Closing]) -> None:
        """Hold what is about to be answered against the forge's main, as it is there now."""
        main = self.there.head() if self.home.branch.is_established else None
        for each in closings:
            if main is not None and each.request is not None:
                assert self.there.descends(main, each.commit), "answered before it was there"

    async def turn(self) -> Turned:
        """Let the writer take a turn, an hour after the last; one that dies is started again."""
        self.now += 3600
        try:
            head = self.head or await self.writer.recover()
            self.head, turned = await self.writer.turn(head, Held())
        except Died:
            self.restart()
            return Turned.ONE
        return turned

    async def settle(self) -> None:
        """Turn until nothing is left to do."""
        for _ in range(50):
            if await self.turn() is Turned.IDLE and not self.ledger.reason(HOME):
                return
        raise AssertionError(self.ledger.reason(HOME))

    async def ask(self, name: str) -> UUID:
        path = f"{RUNS}/{name}.yaml"
        write = Write(path, WriteAction.PUT, intent(path, RUN))
        request = WriteRequest(RequestId(uuid4()), "acme", "fraud", f"Run {name}", Principal(DEVELOPER), (write,))
        await self.queue.put(request)
        return request.id

    def carried_out(self) -> Counter[str]:
        """Return how often each request is on the forge's main."""
        main = self.there.head()
        assert main is not None
        commits = self.there.between(None, main)
        return Counter(each for commit in commits for each in commit.trailers.get("Ordain-Request", ()))
