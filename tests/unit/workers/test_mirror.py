"""The mirror: only ever pushed to, and what others do there is left for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from reconciler.planning.hydration import rendered_ref
from reconciler.planning.remote import Attempt
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.remote import RefUpdate
from reconciler.ports.remotes import MIRROR
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.stores.fake_remotes import MemoryRemotes
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.mirror import LOOK_SECONDS, Mirror
from reconciler.workers.tree_at_head import TreeAtHead
from tests.fixtures.trees import PLATFORM as PLATFORM_PATH
from tests.support.remotes import Fault, FaultyRemote, foreign_commit
from tests.support.repositories import NOON, PLATFORM, commit, intent, seeded_repository, start_specs

pytestmark = pytest.mark.anyio

ADDRESS = "https://git.example/acme/intents"
RENDERED = rendered_ref("local")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def with_repository(repository: GitRepository, **spec: Any) -> str:
    """Commit a platform.yaml with these settings of the repository."""
    before = start_specs()[PLATFORM_PATH]
    after = {**before, "repository": {**before["repository"], **spec}}
    return commit(repository, {PLATFORM_PATH: intent(PLATFORM_PATH, after)})


@dataclass
class World:
    """A repository here and its mirror."""

    here: GitRepository
    there: GitRepository
    remote: FaultyRemote
    ledger: MemoryRemotes = field(default_factory=MemoryRemotes)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.mirror = Mirror(self.here, TreeAtHead(self.here), self.ledger, self.reach, lambda: self.now)

    def reach(self, address: str) -> FaultyRemote:
        assert address == ADDRESS
        return self.remote

    def write(self, name: str) -> UUID:
        request = uuid4()
        commit(self.here, {f"notes/{name}.md": b"1"}, f"Note\n\nOrdain-Request: {request}")
        return request

    def render(self, text: bytes) -> str:
        head = self.here.head(RENDERED)
        (made,) = self.here.append("test", head, [NewCommit(PLATFORM, PLATFORM, NOON, "Render\n", {"a": text})])
        self.here.move(RENDERED, head, made)
        return made

    async def cursor(self) -> str:
        return (await self.ledger.remotes())[MIRROR].commit


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    here, there = seeded_repository(tmp_path / "here.git"), GitRepository.create(tmp_path / "there.git")
    with_repository(here, mirror=ADDRESS)
    return World(here, there, FaultyRemote(here.path, there, monkeypatch))


async def test_main_goes_there_with_its_requests(world: World) -> None:
    requests = {world.write("a"), world.write("b")}
    await world.mirror.turn()
    assert world.there.head() == world.here.head() == await world.cursor()
    assert world.ledger.pushed == requests
    assert world.remote.pushes == 1


async def test_what_came_meanwhile_is_one_push(world: World) -> None:
    await world.mirror.turn()
    for number in range(20):
        world.write(str(number))
    await world.mirror.turn()
    await world.mirror.turn()
    assert world.remote.pushes == 2
    assert world.there.head() == world.here.head()
    assert len(world.ledger.pushed) == 20


async def test_without_a_mirror_nothing_goes_anywhere(world: World) -> None:
    with_repository(world.here)
    await world.mirror.turn()
    assert world.there.head() is None


async def test_a_mirror_that_is_away_only_delays(world: World) -> None:
    request = world.write("a")
    world.remote.down = True
    with pytest.raises(Waiting):
        await world.mirror.turn()
    assert "the remote is down" in world.ledger.reason(MIRROR)
    assert not world.ledger.pushed
    world.remote.down = False
    await world.mirror.turn()
    assert (world.ledger.reason(MIRROR), world.ledger.pushed) == ("", {request})


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.CUT_OFF, Fault.LATE])
async def test_an_answer_that_does_not_come_is_found_out(world: World, fault: Fault) -> None:
    await world.mirror.turn()
    request = world.write("a")
    world.remote.faults = [fault]
    for _ in range(2):
        try:
            await world.mirror.turn()
        except Waiting:
            continue
    assert world.there.head() == world.here.head() == await world.cursor()
    assert (world.ledger.pushed, world.ledger.reason(MIRROR)) == ({request}, "")


async def test_a_push_that_nobody_noted_is_found_there(world: World) -> None:
    await world.mirror.turn()
    before, request = await world.cursor(), world.write("a")
    pushed = world.remote.push([RefUpdate(MAIN, before, world.here.head())])
    assert pushed.attempt is Attempt.ACCEPTED
    world.restart()
    await world.mirror.turn()
    assert world.ledger.pushed == {request}


async def test_a_foreign_commit_there_stalls_and_is_never_taken(world: World) -> None:
    await world.mirror.turn()
    foreign = foreign_commit(world.there, {"notes/x.md": b"1"})
    ours = world.write("a")
    for _ in range(2):
        with pytest.raises(Stalled, match="foreign-move"):
            await world.mirror.turn()
    assert (world.there.head(), ours in world.ledger.pushed) == (foreign, False)
    assert foreign in world.ledger.reason(MIRROR)
    assert not world.here.has(foreign)
    world.there.move(MAIN, foreign, await world.cursor())
    await world.mirror.turn()
    assert ours in world.ledger.pushed


async def test_a_mirror_that_was_put_back_stalls(world: World) -> None:
    await world.mirror.turn()
    first = world.there.head()
    world.write("a")
    await world.mirror.turn()
    world.there.move(MAIN, world.there.head(), first or "")
    world.now += LOOK_SECONDS
    with pytest.raises(Stalled, match="foreign-move"):
        await world.mirror.turn()
    assert world.there.head() == first


async def test_what_others_do_is_seen_though_nothing_is_pushed(world: World) -> None:
    await world.mirror.turn()
    foreign_commit(world.there, {"notes/x.md": b"1"})
    await world.mirror.turn()
    assert world.ledger.reason(MIRROR) == ""
    world.now += LOOK_SECONDS
    with pytest.raises(Stalled):
        await world.mirror.turn()


async def test_a_remote_that_has_other_things_is_left_alone(world: World) -> None:
    foreign = foreign_commit(world.there, {"README.md": b"1"})
    with pytest.raises(Stalled, match="nothing was put yet"):
        await world.mirror.turn()
    assert world.there.head() == foreign


async def test_a_refused_push_stalls_with_the_remote_s_word(world: World) -> None:
    world.remote.faults = [Fault.REFUSED]
    with pytest.raises(Stalled, match="protected branch"):
        await world.mirror.turn()


async def test_rendered_branches_go_along_and_stand_by_themselves(world: World) -> None:
    first = world.render(b"1")
    await world.mirror.turn()
    assert world.there.head(RENDERED) == first
    foreign_commit(world.there, {"notes/x.md": b"1"})
    second = world.render(b"2")
    with pytest.raises(Stalled, match=MAIN):
        await world.mirror.turn()
    assert world.there.head(RENDERED) == second, "one branch that stalls does not hold the others"
    assert world.ledger.reason(f"{MIRROR}:rendered/local") == ""


async def test_where_a_forge_is_home_the_rendered_branches_are_pushed_alone(world: World) -> None:
    with_repository(world.here, home="forge", forge={"provider": "gitea", "url": ADDRESS})
    first = world.render(b"1")
    await world.mirror.turn()
    assert (world.there.head(), world.there.head(RENDERED)) == (None, first)
