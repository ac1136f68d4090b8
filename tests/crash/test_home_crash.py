"""The writer of a main at home on a forge is killed at each of its steps, while others push there; nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from reconciler.planning.remote import Attempt
from reconciler.planning.writing import WriteRequest
from reconciler.ports.remote import RefUpdate
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.ports.requests import RequestState
from reconciler.process_identity import end_group, identity_of
from reconciler.services.settings import PostgresRole
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers import home_branch, writer
from tests.crash.test_writer_crash import a_run, answers, insist, is_sound, until
from tests.support.forge_double import ANA, BOT
from tests.support.forges import World, gitea_double
from tests.support.ledgers import Ledger
from tests.support.repositories import NOON, PLATFORM

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 20
ROUNDS = int(os.environ.get("ORDAIN_CRASH_ROUNDS", "1"))
POINTS = (
    "after-take",
    "after-decide",
    "after-pack",
    "after-verify",
    *home_branch.CRASH_POINTS,
    "after-move",
    "before-close",
    "after-close",
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Place:
    """A repository, its forge and a database, and the writers that were started on them."""

    repository: GitRepository
    ledger: Ledger
    forge: World
    folder: Path
    hosts: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, point: str = "never") -> subprocess.Popen[bytes]:
        dsn = self.ledger.dsn(PostgresRole.WORKER)
        words = [str(self.repository.path), dsn, self.forge.url, point, "die", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            host = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.home_host", *words],
                cwd=ROOT,
                env=os.environ | {"ORDAIN_TEST_TOKEN": self.forge.tokens[BOT]},
                stderr=log,
                start_new_session=True,
            )
        self.hosts.append(host)
        return host

    def end(self) -> None:
        for host in self.hosts:
            identity = identity_of(host.pid)
            if identity is not None:
                asyncio.run(end_group(identity, 0))
            host.wait()

    def there(self) -> str:
        """Return the forge's main, all of it brought to where it can be looked at."""
        remote = self.forge.remote(self.repository.path)
        remote.fetch(MAIN, "refs/ordain/looked-at")
        return self.repository.head("refs/ordain/looked-at") or ""


@pytest.fixture
def place(repository: GitRepository, ledger: Ledger, tmp_path: Path) -> Iterator[Place]:
    with gitea_double(tmp_path / "forge") as forge:
        made = Place(repository, ledger, forge, tmp_path)
        yield made
        made.end()


@asynccontextmanager
async def clients(queue: LedgerQueue, count: int = CLIENTS) -> AsyncIterator[list[WriteRequest]]:
    """Let clients ask, each after its last answer, all the time while the body runs."""
    asked, numbers, stopped = list[WriteRequest](), itertools.count(), asyncio.Event()

    async def client() -> None:
        while not stopped.is_set():
            request = a_run(str(next(numbers)))
            await insist(queue, request)
            asked.append(request)
            await answers(queue, [request])

    tasks = [asyncio.create_task(client()) for _ in range(count)]
    try:
        yield asked
    finally:
        stopped.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def a_person_who_pushes(place: Place) -> AsyncIterator[list[str]]:
    """Let a person push to the forge's main now and then, as people do: fetch, commit on top, push, again if lost."""
    clone = GitRepository.create(place.folder / "clone.git")
    remote, done, stopped = place.forge.remote(clone.path, ANA), list[str](), asyncio.Event()

    def push(number: int) -> None:
        there = remote.heads([MAIN]).get(MAIN)
        if there is None:
            return
        remote.fetch(MAIN, "refs/heads/theirs")
        base = clone.head("refs/heads/theirs")
        new = NewCommit(PLATFORM, PLATFORM, NOON, "By hand\n", {f"notes/{number}.md": b"1"})
        (made,) = clone.append("hand", base, [new])
        if remote.push([RefUpdate(MAIN, base, made)]).attempt is Attempt.ACCEPTED:
            done.append(made)

    async def person() -> None:
        for number in itertools.count():
            if stopped.is_set():
                return
            await asyncio.to_thread(push, number)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(person())
    try:
        yield done
    finally:
        stopped.set()
        await task


async def is_whole(place: Place, queue: LedgerQueue, asked: Sequence[WriteRequest], by_hand: Sequence[str]) -> None:
    """Hold the forge's main and the ledger against what clients were told."""
    told = await answers(queue, asked)
    assert {each.state for each in told} == {RequestState.COMMITTED}
    main = place.there()
    line = place.repository.between(None, main)
    carried_out = Counter(UUID(each) for commit in line for each in commit.trailers.get("Ordain-Request", ()))
    assert carried_out == {each.id: 1 for each in asked}
    assert set(by_hand) <= {commit.id for commit in line}
    assert {each.commit for each in told} <= {commit.id for commit in line}
    is_sound(place.repository)


async def test_killed_at_each_step_while_others_push(place: Place) -> None:
    async with place.ledger.database() as database:
        queue = LedgerQueue(database)
        async with clients(queue) as asked, a_person_who_pushes(place) as by_hand:
            for point in POINTS * ROUNDS:
                host = place.start(point)
                await until(lambda host=host: host.poll() is not None, f"to die {point}")  # type: ignore[misc]
                assert host.returncode == -signal.SIGKILL
            place.start()
            await answers(queue, asked[-5:])
            await until(lambda: len(by_hand) > 2, "a person's pushes to get through")
        await is_whole(place, queue, asked, by_hand)
        assert len(asked) > CLIENTS
    assert place.repository.head() == place.there()


async def test_two_platforms_on_one_forge_write_each_on_top_of_the_other(place: Place, tmp_path: Path) -> None:
    """As after a takeover by another machine: its clone and its lock are its own, and only the forge is shared."""
    other_clone = GitRepository.create(tmp_path / "other.git")
    async with place.ledger.database() as database:
        queue = LedgerQueue(database)
        place.start()
        first = a_run("first")
        await insist(queue, first)
        await answers(queue, [first])
        home_branch.HomeBranch(other_clone, place.forge.remote(other_clone.path)).settle()
        other = Place(other_clone, place.ledger.server.fresh(), place.forge, tmp_path)
        try:
            async with other.ledger.database() as theirs:
                other.start()
                async with clients(queue, 3) as asked, clients_of_another(LedgerQueue(theirs)) as asked_there:
                    await until(lambda: len(asked) > 20 and len(asked_there) > 10, "both to be served")
                await answers(LedgerQueue(theirs), asked_there)
        finally:
            await asyncio.to_thread(other.end)
        await is_whole_together(place, [first, *asked], asked_there)


@asynccontextmanager
async def clients_of_another(queue: LedgerQueue) -> AsyncIterator[list[WriteRequest]]:
    """Let one client of another platform ask for runs of other names."""
    asked, stopped = list[WriteRequest](), asyncio.Event()

    async def client() -> None:
        for number in itertools.count():
            if stopped.is_set():
                return
            request = a_run(f"there-{number}")
            await insist(queue, request)
            asked.append(request)
            await answers(queue, [request])

    task = asyncio.create_task(client())
    try:
        yield asked
    finally:
        stopped.set()
        await task


async def is_whole_together(place: Place, here: Sequence[WriteRequest], there: Sequence[WriteRequest]) -> None:
    line = place.repository.between(None, place.there())
    carried_out = Counter(UUID(each) for commit in line for each in commit.trailers.get("Ordain-Request", ()))
    assert carried_out == {each.id: 1 for each in (*here, *there)}


def test_the_points_are_those_of_the_writer() -> None:
    assert set(POINTS) - set(home_branch.CRASH_POINTS) == set(writer.CRASH_POINTS)
