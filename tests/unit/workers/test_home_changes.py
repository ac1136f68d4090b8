"""Changes that others approve, where a forge is home of main: beside it here, merged once the forge has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from reconciler.planning.changes import Approval, Change, ChangeId, ChangeState, Deed, OfChange, change_id
from reconciler.planning.proposing import preview
from reconciler.planning.remote import Attempt
from reconciler.planning.writing import WriteRequest
from reconciler.ports.remote import RefUpdate
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.ports.requests import RequestState
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.change_branches import OPEN, read_change
from reconciler.workers.tree_at_head import TreeAtHead
from tests.fixtures.approvals import APPROVER, BLUE, DEPLOY_SPEC, NOON, approved_specs, ask, body, put
from tests.fixtures.trees import FRAUD, RUN
from tests.support.homes import World
from tests.support.remotes import Fault, FaultyRemote, foreign_commit
from tests.support.repositories import PLATFORM, commit, intent, merge

pytestmark = pytest.mark.anyio

POINTS = ("after-take", "after-pack", "before-push", "after-push", "after-move", "after-close")
TWO_APPROVALS = {**approved_specs()[FRAUD], "approvals": {"ModelDeployment": 2}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    here, there = GitRepository.create(tmp_path / "here.git"), GitRepository.create(tmp_path / "there.git")
    commit(here, {path: intent(path, spec) for path, spec in approved_specs().items() if path != RUN})
    world = World(here, there, FaultyRemote(here.path, there, monkeypatch))
    await world.settle()
    return world


async def answer(world: World, request: WriteRequest) -> RequestState:
    """Put a request, and return what became of it once nothing is left to do."""
    await world.queue.put(request)
    await world.settle()
    return world.queue.requests.rows[request.id].status.state


def change(world: World, name: ChangeId) -> Change:
    return world.queue.requests.changes[name].change


async def opened(world: World) -> Change:
    request = ask(put(BLUE, DEPLOY_SPEC))
    assert await answer(world, request) is RequestState.PROPOSED
    return change(world, change_id(request.id))


async def approved(world: World) -> Change:
    """Open a change and approve what it would do now."""
    made = await opened(world)
    tree = await TreeAtHead(world.here).advance()
    known = read_change(world.here, world.queue.requests.changes[made.id])
    digest = preview(tree, known, now=NOON).digest
    await world.queue.changes.approve(Approval(made.id, APPROVER, digest, made.head, datetime.now(UTC)))
    return made


def merging(made: Change) -> WriteRequest:
    return ask(of=OfChange(made.id, Deed.MERGE))


def is_merged(world: World, made: Change, request: UUID) -> None:
    """Hold that the change is merged, by a commit that the forge has, and is no branch any more."""
    now = change(world, made.id)
    assert (now.state, now.commit) == (ChangeState.MERGED, world.queue.answers[request])
    assert world.there.read(world.there.head() or "", BLUE) == body(BLUE, DEPLOY_SPEC)
    assert world.there.head() == world.here.head() == world.queue.head
    assert not world.here.refs(OPEN)


async def test_what_waits_for_approval_is_not_on_the_forge_s_main(world: World) -> None:
    main = world.there.head()
    made = await opened(world)
    assert world.here.refs(OPEN) == {made.id: made.head}
    assert (world.there.head(), world.there.refs(OPEN)) == (main, {})
    assert await answer(world, merging(made)) is RequestState.REFUSED
    assert world.there.head() == main


async def test_what_is_approved_is_merged_on_the_forge(world: World) -> None:
    made = await approved(world)
    request = merging(made)
    assert await answer(world, request) is RequestState.COMMITTED
    is_merged(world, made, request.id)
    assert world.carried_out() == {str(request.id): 1}


@pytest.mark.parametrize("others", [False, True])
async def test_a_branch_that_shows_the_change_goes_where_main_goes(world: World, others: bool) -> None:
    made = await approved(world)
    at = foreign_branch(world, made) if others else made.head
    assert world.remote.push([RefUpdate(f"{OPEN}/{made.id}", None, at)]).attempt is Attempt.ACCEPTED
    assert await answer(world, merging(made)) is RequestState.COMMITTED
    merged = change(world, made.id)
    assert world.there.head() == merged.commit
    assert world.there.refs(OPEN) == {made.id: at if others else merged.commit}


def foreign_branch(world: World, made: Change) -> str:
    """Return a commit that others put on the branch of a change."""
    new = NewCommit(PLATFORM, PLATFORM, NOON, "By hand\n", {"n": b"1"})
    return world.here.append("foreign", made.head, [new])[0]


@pytest.mark.parametrize(
    "point", ["after-take", "after-pack", "before-push", "after-push", "after-move", "after-close"]
)
@pytest.mark.parametrize("meanwhile", [False, True])
async def test_a_writer_that_dies_merging_is_finished_by_the_next(world: World, point: str, meanwhile: bool) -> None:
    made = await approved(world)
    request = merging(made)
    await world.queue.put(request)
    world.deaths = [point]
    await world.turn()
    if meanwhile:
        foreign_commit(world.there, {"notes/a.md": b"1"})
    await world.settle()
    is_merged(world, made, request.id)
    assert world.carried_out() == {str(request.id): 1}


@pytest.mark.parametrize("fault", [Fault.OVERTAKEN, Fault.ANSWER_LOST, Fault.CUT_OFF, Fault.LATE])
async def test_a_merge_that_is_overtaken_or_not_answered_is_found_out(world: World, fault: Fault) -> None:
    made = await approved(world)
    request = merging(made)
    world.remote.faults = [fault]
    assert await answer(world, request) is RequestState.COMMITTED
    is_merged(world, made, request.id)
    assert world.carried_out() == {str(request.id): 1}


async def test_an_approval_falls_by_what_others_put_on_the_forge(world: World) -> None:
    made = await approved(world)
    foreign_commit(world.there, {FRAUD: intent(FRAUD, TWO_APPROVALS)})
    request = merging(made)
    assert await answer(world, request) is RequestState.REFUSED
    (problem,) = world.queue.requests.rows[request.id].status.problems
    assert problem.code == "approval-missing"
    assert change(world, made.id).state is ChangeState.OPEN


async def test_a_merge_of_ours_that_others_merged_again_ends_the_change(world: World) -> None:
    made = await approved(world)
    root = world.there.head() or ""
    request = merging(made)
    await world.queue.put(request)
    world.deaths = ["after-push"]
    await world.turn()
    ours = world.there.head() or ""
    (theirs,) = world.there.append("foreign", root, [NewCommit(PLATFORM, PLATFORM, NOON, "By hand\n", {"n": b"1"})])
    world.there.move(MAIN, ours, merge(world.there, theirs, ours))
    await world.settle()
    is_merged(world, made, request.id)


async def test_trailers_that_people_write_end_no_change(world: World) -> None:
    made = await opened(world)
    for name in ("../main", "x", f"{made.id}/x", ""):
        foreign_commit(world.there, {"n": name.encode()}, f"By hand\n\nOrdain-Change: {name}\nOrdain-Merged-By: eve")
    await world.settle()
    assert world.here.refs(OPEN) == {made.id: made.head}
    assert change(world, made.id).state is ChangeState.OPEN
    assert world.here.head() == world.there.head() == world.queue.head


async def test_while_the_forge_is_away_changes_wait_too(world: World) -> None:
    request = replace(ask(put(BLUE, DEPLOY_SPEC)), merge_when_approved=True)
    await world.queue.put(request)
    world.remote.down = True
    for _ in range(3):
        await world.turn()
    assert not world.here.refs(OPEN)
    world.remote.down = False
    await world.settle()
    assert world.here.refs(OPEN).keys() == {change_id(request.id)}
