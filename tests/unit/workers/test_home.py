"""Main with a forge as its home: nothing is answered before it is there, nothing is lost or doubled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pygit2.enums import FileMode, ObjectType

from intents.authority import Principal
from reconciler.planning.writing import RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.remotes import HOME
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.home import POLL_SECONDS
from tests.fixtures.trees import ACME
from tests.fixtures.trees import PLATFORM as PLATFORM_PATH
from tests.support.homes import RUN, RUNS, World
from tests.support.remotes import Fault, FaultyRemote, Held, foreign_commit
from tests.support.repositories import DEVELOPER, NOON, PLATFORM, intent, merge, seeded_repository, start_specs

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    here, there = seeded_repository(tmp_path / "here.git"), GitRepository.create(tmp_path / "there.git")
    return World(here, there, FaultyRemote(here.path, there, monkeypatch))


async def test_what_is_here_goes_there_first(world: World) -> None:
    asked = await world.ask("a")
    await world.settle()
    assert world.there.head() == world.here.head() == world.queue.answers[asked]
    assert world.carried_out() == {str(asked): 1}


async def test_many_requests_are_one_push(world: World) -> None:
    await world.settle()
    before = world.remote.pushes
    asked = [await world.ask(f"n{number}") for number in range(20)]
    await world.settle()
    assert world.remote.pushes == before + 1
    assert world.queue.answers.keys() == set(asked)


async def test_what_others_push_is_followed_and_written_on_top_of(world: World) -> None:
    await world.settle()
    foreign = foreign_commit(
        world.there, {"notes/a.md": b"1", ACME: intent(ACME, {**start_specs()[ACME], "displayName": "A"})}
    )
    await world.settle()
    assert world.here.head() == foreign == world.queue.head
    assert world.head is not None
    document = world.head.tree.tenant("acme")
    assert document is not None
    assert document.spec.display_name == "A"
    asked = await world.ask("a")
    await world.settle()
    assert world.here.info(world.queue.answers[asked]).parent == foreign


async def test_a_lost_race_is_decided_anew_on_what_won_it(world: World) -> None:
    await world.settle()
    path = f"{RUNS}/a.yaml"
    asked = await world.ask("a")
    world.remote.faults = [Fault.OVERTAKEN, Fault.OVERTAKEN]
    await world.settle()
    assert world.carried_out() == {str(asked): 1}
    assert world.there.read(world.there.head() or "", path) is not None


async def test_a_request_that_no_longer_holds_after_a_lost_race_is_refused(world: World) -> None:
    await world.settle()
    path = f"{RUNS}/a.yaml"
    write = Write(path, WriteAction.PUT, intent(path, RUN), "absent")
    request = WriteRequest(RequestId(uuid4()), "acme", "fraud", "Run", Principal(DEVELOPER), (write,))
    await world.queue.put(request)
    foreign_commit(world.there, {path: intent(path, RUN)})
    world.now -= 3600 + POLL_SECONDS / 2  # too early to look by itself: the push finds out
    await world.settle()
    assert world.queue.refused == {request.id}
    assert not world.carried_out()


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.CUT_OFF, Fault.LATE])
async def test_an_answer_that_does_not_come_is_found_out(world: World, fault: Fault) -> None:
    await world.settle()
    asked = await world.ask("a")
    world.remote.faults = [fault]
    await world.settle()
    assert world.carried_out() == {str(asked): 1}
    assert world.queue.answers.keys() == {asked}


@pytest.mark.parametrize("point", ["after-take", "after-pack", "before-push", "after-push", "after-move"])
@pytest.mark.parametrize("meanwhile", [False, True])
async def test_a_writer_that_dies_is_finished_by_the_next(world: World, point: str, meanwhile: bool) -> None:
    await world.settle()
    asked = await world.ask("a")
    world.deaths = [point]
    await world.turn()
    if meanwhile:
        foreign_commit(world.there, {"notes/a.md": b"1"})
    await world.settle()
    assert world.carried_out() == {str(asked): 1}
    assert world.queue.answers.keys() == {asked}


@pytest.mark.parametrize("backward", [False, True])
async def test_a_request_that_a_merge_brought_in_is_answered(world: World, backward: bool) -> None:
    await world.settle()
    root = world.there.head() or ""
    asked = await world.ask("a")
    world.deaths = ["after-push"]
    await world.turn()
    ours = world.there.head() or ""
    (theirs,) = world.there.append("foreign", root, [NewCommit(PLATFORM, PLATFORM, NOON, "By hand\n", {"n": b"1"})])
    parents = (theirs, ours) if backward else (ours, theirs)
    world.there.move(MAIN, ours, merge(world.there, *parents))
    await world.settle()
    assert world.queue.answers == {asked: ours}


async def test_nothing_is_written_while_the_forge_is_away(world: World) -> None:
    await world.settle()
    head = world.here.head()
    asked = await world.ask("a")
    world.remote.down = True
    for _ in range(5):
        await world.turn()
    assert (world.here.head(), world.queue.answers) == (head, {})
    assert "the remote is down" in world.ledger.reason(HOME)
    world.remote.down = False
    await world.settle()
    assert world.queue.answers.keys() == {asked}


async def test_while_it_is_away_it_is_asked_seldom(world: World) -> None:
    await world.settle()
    world.remote.down = True
    world.home.look()
    looks = set[float]()
    for _ in range(200):
        world.now += 0.01
        assert world.head is not None
        await world.writer.turn(world.head, Held())
        looks.add(world.home._due)
    assert 1 < len(looks) < 10


async def test_a_push_that_is_refused_stalls_with_the_remote_s_word(world: World) -> None:
    await world.settle()
    asked = await world.ask("a")
    world.remote.faults = [Fault.REFUSED] * 3
    await world.turn()
    assert "push-refused" in world.ledger.reason(HOME)
    assert "protected branch" in world.ledger.reason(HOME)
    await world.settle()
    assert world.queue.answers.keys() == {asked}


async def test_a_rewritten_main_stops_all_writing(world: World) -> None:
    await world.settle()
    root = world.there.head() or ""
    await world.ask("a")
    await world.settle()
    head = world.here.head()
    world.there.move(MAIN, head, root)
    await world.ask("b")
    for _ in range(3):
        await world.turn()
    assert "history-rewritten" in world.ledger.reason(HOME)
    assert (world.there.head(), world.here.head()) == (root, head)
    world.restart()
    await world.turn()
    assert (world.there.head(), world.here.head()) == (root, head), "nor does a new writer put it forward again"


async def test_a_rewritten_main_is_written_on_once_it_is_adopted(world: World) -> None:
    await world.settle()
    root = world.there.head() or ""
    await world.ask("a")
    await world.settle()
    head = world.here.head() or ""
    world.there.move(MAIN, head, root)
    rewritten = foreign_commit(world.there, {"notes/a.md": b"1"})
    asked = await world.ask("b")
    await world.turn()
    assert rewritten in world.ledger.reason(HOME)
    world.here.move(MAIN, head, rewritten)
    world.home.branch.adopt(rewritten)
    world.queue.requests.cursor = rewritten
    world.restart()
    await world.settle()
    assert world.ledger.reason(HOME) == ""
    assert world.there.head() == world.here.head() == world.queue.answers[asked]
    assert world.there.descends(world.there.head() or "", rewritten)


async def test_a_main_of_another_repository_stops_it(world: World, tmp_path: Path) -> None:
    strange = GitRepository.create(tmp_path / "strange.git")
    foreign_commit(strange, {"notes/a.md": b"1"})
    world.remote.there = strange
    world.remote._address = f"file://{strange.path}"
    asked = await world.ask("a")
    await world.turn()
    await world.turn()
    assert "neither descends" in world.ledger.reason(HOME)
    assert world.queue.answers.keys() == {asked}, "main stays here until the forge has it"


@pytest.mark.parametrize(
    "body",
    [None, b"kind: [", intent(PLATFORM_PATH, {**start_specs()[PLATFORM_PATH], "repository": {"uid": str(uuid4())}})],
)
async def test_a_main_without_our_platform_is_not_followed(world: World, body: bytes | None) -> None:
    await world.settle()
    head = world.here.head()
    foreign_commit(world.there, {PLATFORM_PATH: body})
    await world.turn()
    assert PLATFORM_PATH in world.ledger.reason(HOME)
    assert world.here.head() == head
    foreign_commit(world.there, {PLATFORM_PATH: intent(PLATFORM_PATH, start_specs()[PLATFORM_PATH])})
    await world.settle()
    assert world.here.head() == world.there.head()


def hostile_commit(there: GitRepository) -> str:
    """Put a commit on main as git lets anybody make one: no text in names, message or person, and odd entries."""
    objects, head = pygit2.Repository(str(there.path)), there.head() or ""
    blob = objects.create_blob(b"kind: [\xff")
    inner = objects.TreeBuilder()
    inner.insert("link", blob, FileMode.LINK)
    inner.insert("module", pygit2.Oid(hex="1" * 40), FileMode.COMMIT)
    inner.insert("run.yaml", blob, FileMode.BLOB)
    raw = objects.read(objects[head].peel(pygit2.Commit).tree_id)[1] + b"40000 zz\xff\x00" + inner.write().raw
    root = objects.write(ObjectType.TREE, raw)
    lines = [
        f"tree {root}\nparent {head}\n".encode(),
        b"author \xff\xfe <\xff> 1 +0000\ncommitter x <> 99999999999 +9999\n\n",
        b"\xff\xfe\x01\n\nOrdain-Request: not-a-request\nOrdain-Key: \xff\n",
    ]
    made = str(objects.write(ObjectType.COMMIT, b"".join(lines)))
    there.move(MAIN, head, made)
    return made


async def test_a_commit_that_anybody_can_make_does_no_harm(world: World) -> None:
    await world.settle()
    hostile = hostile_commit(world.there)
    asked = await world.ask("a")
    await world.settle()
    assert world.here.info(world.queue.answers[asked]).parent == hostile
    assert world.queue.head == world.there.head()


FAULTS = st.lists(st.sampled_from(Fault), max_size=6).map(
    lambda faults: [each for each in faults if each is not Fault.REFUSED]
)
DEATHS = st.lists(st.sampled_from(["after-take", "after-pack", "before-push", "after-push", "after-move"]), max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=FAULTS, deaths=DEATHS, batches=st.lists(st.integers(0, 3), min_size=1, max_size=4))
async def test_whatever_goes_wrong_each_request_is_carried_out_once(
    world: World, faults: list[Fault], deaths: list[str], batches: list[int]
) -> None:
    world.remote.faults, world.deaths = list(faults), list(deaths)
    asked: list[UUID] = []
    before = world.carried_out() if world.there.head() else Counter[str]()
    for batch in batches:
        asked += [await world.ask(f"r{uuid4().hex[:8]}") for _ in range(batch)]
        await world.turn()
    await world.settle()
    assert world.carried_out() - before == {str(each): 1 for each in asked}
    assert set(asked) <= world.queue.answers.keys()
    assert world.here.head() == world.there.head() == world.queue.head
