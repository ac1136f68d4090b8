"""Changes as pull requests, with writer and forge: on the doubles, and on a real Gitea where one is told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from intents.authority import Principal
from reconciler.planning.changes import Approval, Change, ChangeId, ChangeState, Deed, OfChange, change_id
from reconciler.planning.forge import Check, PullDetails, PullState, Verdict
from reconciler.planning.proposing import preview
from reconciler.planning.writing import WriteRequest
from reconciler.ports.changes import ChangeRecord
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.forge import Forge
from reconciler.ports.remote import RefUpdate
from reconciler.ports.remotes import HOME, PULLS, pull_name
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.ports.requests import RequestState
from reconciler.stores.fake_remotes import MemoryRemotes
from reconciler.stores.fake_requests import MemoryQueue
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.change_branches import read_change
from reconciler.workers.home import Home
from reconciler.workers.home_branch import HomeBranch
from reconciler.workers.loop import Turned
from reconciler.workers.open_changes import OpenChanges
from reconciler.workers.pull_requests import PullRequests
from reconciler.workers.tree_at_head import TreeAtHead
from reconciler.workers.writer import Head, Writer
from tests.fixtures.approvals import (
    APPROVER,
    BLUE,
    DEPLOY_SPEC,
    DEVELOPER,
    SECOND_SPEC,
    approved_specs,
    ask,
    body,
    put,
)
from tests.fixtures.trees import PLATFORM as PLATFORM_PATH
from tests.fixtures.trees import RUN
from tests.support.forge_double import ANA, BEN, BOT, Answer, Asked
from tests.support.forges import WORLDS, World
from tests.support.remotes import Held
from tests.support.repositories import NOON, PLATFORM, commit, intent

pytestmark = pytest.mark.anyio

SEEN_WITHIN_SECONDS = 20.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with WORLDS[request.param](tmp_path / "forge") as made:
        yield made


@dataclass
class Platform:
    """A writer and the worker for pull requests, on one repository whose home is the forge."""

    world: World
    repository: GitRepository
    forge: Forge
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    ledger: MemoryRemotes = field(default_factory=MemoryRemotes)
    seconds: float = 0.0
    writer_head: Head | None = None

    def __post_init__(self) -> None:
        self.remote = self.world.remote(self.repository.path)
        self.home = Home(HomeBranch(self.repository, self.remote), self.ledger, lambda: self.seconds)
        self.writer = Writer(self.repository, self.queue, PLATFORM, lambda: NOON, home=lambda _: self.home)
        self.restart()

    def restart(self) -> None:
        """Begin with a worker that remembers nothing."""
        self.worker = PullRequests(
            self.repository,
            TreeAtHead(self.repository),
            self.queue,
            self.queue.changes,
            self.ledger,
            lambda _: self.forge,
            lambda _: self.remote,
            OpenChanges(self.repository),
            lambda: datetime.now(UTC),
            lambda: self.seconds,
        )

    async def write(self) -> None:
        """Let the writer do all that waits, and follow the forge."""
        for _ in range(20):
            self.seconds += 3600
            head = self.writer_head or await self.writer.recover()
            self.writer_head, turned = await self.writer.turn(head, Held())
            if turned is Turned.IDLE and not self.ledger.reason(HOME):
                return
        raise AssertionError(self.ledger.reason(HOME))

    async def look(self, times: int = 2) -> None:
        """Let worker and writer go on, as often as it takes for one step to lead to the next."""
        for _ in range(times):
            await self.glance()
            await self.write()

    async def glance(self) -> None:
        """Let the worker look once, as soon as the forge lets it."""
        async with asyncio.timeout(SEEN_WITHIN_SECONDS):
            while True:
                self.seconds += 3600
                try:
                    await self.worker.turn()
                except Waiting as waiting:
                    await asyncio.sleep(min(waiting.after, 0.3))
                else:
                    return

    async def answer(self, request: WriteRequest) -> RequestState:
        await self.queue.put(request)
        await self.write()
        return self.queue.requests.rows[request.id].status.state

    async def opened(self, request: WriteRequest | None = None) -> Change:
        """Open a change, and its pull request."""
        request = request or ask(put(BLUE, DEPLOY_SPEC))
        assert await self.answer(request) is RequestState.PROPOSED
        await self.look(1)
        return self.change(change_id(request.id))

    def record(self, change: ChangeId) -> ChangeRecord:
        return self.queue.requests.changes[change]

    def change(self, change: ChangeId) -> Change:
        return self.record(change).change

    async def pull(self, change: Change) -> PullDetails:
        found = await self.forge.latest(f"change/{change.id}")
        assert found is not None
        details = await self.forge.show(found.number)
        assert details is not None
        return details

    async def body(self, change: Change) -> str:
        number = (await self.pull(change)).pull.number
        return str(self.world.act(BOT, "GET", f"/pulls/{number}")["body"])

    async def review(self, change: Change, who: str, *, approve: bool = True) -> int:
        return self.world.review((await self.pull(change)).pull.number, who, approve=approve)

    async def until_state(self, change: Change, state: PullState) -> PullDetails:
        """Look until its pull request is so: forges take a moment."""
        async with asyncio.timeout(SEEN_WITHIN_SECONDS):
            while (found := await self.pull(change)).pull.state is not state:
                await asyncio.sleep(0.1)
        return found

    def branches(self) -> dict[str, str]:
        return dict(self.remote.refs("refs/heads/change"))

    def at_forge(self, path: str) -> bytes | None:
        self.remote.fetch(MAIN, "refs/ordain/fetched")
        return self.repository.read(self.remote.heads([MAIN])[MAIN], path)


@pytest.fixture
async def platform(world: World, tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform that the forge knows: ana is the approver, ben the author of changes; both with other names there."""
    repository = GitRepository.create(tmp_path / "state.git")
    specs = {path: spec for path, spec in approved_specs().items() if path != RUN}
    people = {world.names[ANA]: APPROVER.user, world.names[BEN]: DEVELOPER.user}
    home = {"provider": world.provider.value, "url": world.url, "people": people}
    spec = specs[PLATFORM_PATH]
    specs[PLATFORM_PATH] = {**spec, "repository": {**spec["repository"], "home": "forge", "forge": home}}
    commit(repository, {path: intent(path, spec) for path, spec in specs.items()})
    forge = world.forge()
    made = Platform(world, repository, forge)
    await made.write()
    world.await_first_push()
    yield made
    await forge.aclose()


def checks(details: PullDetails) -> dict[str, Check]:
    return {each.name: each for each in details.checks}


def merging(change: Change, principal: Principal = DEVELOPER) -> WriteRequest:
    return ask(principal=principal, of=OfChange(change.id, Deed.MERGE))


async def test_a_change_is_a_pull_request_with_its_plan(platform: Platform) -> None:
    change = await platform.opened()
    found = await platform.pull(change)
    assert (found.pull.state, found.pull.head, found.pull.title) == (PullState.OPEN, change.head, "Deploy blue")
    assert platform.branches() == {change.id: change.head}
    text = await platform.body(change)
    assert text.startswith(f"<!-- ordain change {change.id} -->\n")
    for said in ("### Plan:", "deployments/blue", DEVELOPER.user, "approvals: 0 of 1", f"`{APPROVER.user}`"):
        assert said in text
    assert checks(found)["ordain/plan"].verdict is Verdict.SUCCESS
    assert checks(found)["ordain/approvals"] == Check("ordain/approvals", Verdict.PENDING, "0 of 1")
    status = (await platform.ledger.remotes())[pull_name(change.id)]
    assert (status.address, status.commit, status.reason) == (found.pull.url, change.head, "")


async def test_looking_again_asks_little_and_changes_nothing(platform: Platform) -> None:
    change = await platform.opened()
    await platform.look(3)
    before = await platform.pull(change)
    platform.restart()
    await platform.look(2)
    assert await platform.pull(change) == before
    if (double := platform.world.double) is not None:
        double.asked.clear()
        await platform.look(1)
        assert [each.method for each in double.asked] == ["GET"]


async def test_an_update_of_the_change_is_shown_in_place(platform: Platform) -> None:
    change = await platform.opened()
    before = await platform.pull(change)
    update = ask(put(BLUE, SECOND_SPEC), of=OfChange(change.id, Deed.UPDATE))
    assert await platform.answer(update) is RequestState.PROPOSED
    await platform.look()
    found, newer = await platform.pull(change), platform.change(change.id)
    assert newer.head != change.head
    assert (found.pull.number, found.pull.head) == (before.pull.number, newer.head)
    assert checks(found)["ordain/plan"].summary != checks(before)["ordain/plan"].summary


async def test_a_review_counts_as_the_person_s_yes_and_the_merge_marks_it_merged(platform: Platform) -> None:
    change = await platform.opened()
    assert await platform.answer(merging(change)) is RequestState.REFUSED
    await platform.review(change, ANA)
    await platform.look()
    (approval,) = platform.record(change.id).approvals
    assert (approval.approver, approval.head) == (Principal(APPROVER.user), change.head)
    assert checks(await platform.pull(change))["ordain/approvals"].verdict is Verdict.SUCCESS
    assert "approvals: 1 of 1" in await platform.body(change)
    assert await platform.answer(merging(change)) is RequestState.COMMITTED
    await platform.look()
    merged = platform.change(change.id)
    found = await platform.until_state(change, PullState.MERGED)
    assert found.pull.head == merged.commit
    assert platform.at_forge(BLUE) == body(BLUE, DEPLOY_SPEC)
    trailers = platform.repository.info(merged.commit).trailers
    assert trailers["Ordain-Approved-By"] == (APPROVER.user,)
    await platform.look()
    assert platform.branches() == {}
    assert pull_name(change.id) not in await platform.ledger.remotes()


async def test_what_is_to_be_merged_with_its_last_approval_is(platform: Platform) -> None:
    change = await platform.opened(replace(ask(put(BLUE, DEPLOY_SPEC)), merge_when_approved=True))
    await platform.review(change, ANA)
    await platform.look(3)
    assert platform.change(change.id).state is ChangeState.MERGED
    await platform.until_state(change, PullState.MERGED)


async def test_neither_the_author_nor_a_stranger_can_say_yes(platform: Platform) -> None:
    change = await platform.opened()
    await platform.review(change, BEN)
    await platform.look()
    assert platform.record(change.id).approvals == ()
    assert "a review does not count" in await platform.body(change)


async def test_a_review_is_of_the_head_and_the_plan_that_it_saw(platform: Platform) -> None:
    change = await platform.opened()
    await platform.review(change, ANA)
    update = ask(put(BLUE, SECOND_SPEC), of=OfChange(change.id, Deed.UPDATE))
    await platform.answer(update)
    await platform.look(3)
    assert platform.record(change.id).approvals == ()
    assert checks(await platform.pull(change))["ordain/approvals"].verdict is Verdict.PENDING
    await asyncio.sleep(1.1)  # forges count in seconds
    await platform.review(change, ANA)
    await platform.look()
    assert len(platform.record(change.id).approvals) == 1


async def test_a_yes_is_taken_back_on_the_forge(platform: Platform) -> None:
    change = await platform.opened()
    review = await platform.review(change, ANA)
    await platform.look()
    assert len(platform.record(change.id).approvals) == 1
    await asyncio.sleep(1.1)
    platform.world.dismiss((await platform.pull(change)).pull.number, review)
    await platform.look()
    assert platform.record(change.id).approvals == ()
    await asyncio.sleep(1.1)
    await platform.review(change, ANA)
    await platform.look()
    assert len(platform.record(change.id).approvals) == 1
    await asyncio.sleep(1.1)
    await platform.review(change, ANA, approve=False)
    await platform.look()
    assert platform.record(change.id).approvals == ()
    assert checks(await platform.pull(change))["ordain/approvals"].verdict is Verdict.PENDING


async def test_a_yes_that_was_said_here_is_shown_there(platform: Platform) -> None:
    change = await platform.opened()
    tree = await TreeAtHead(platform.repository).advance()
    known = read_change(platform.repository, platform.record(change.id))
    digest = preview(tree, known, now=NOON).digest
    await platform.queue.changes.approve(Approval(change.id, APPROVER, digest, change.head, datetime.now(UTC)))
    await platform.look()
    assert checks(await platform.pull(change))["ordain/approvals"].verdict is Verdict.SUCCESS


async def test_what_is_closed_here_is_closed_there(platform: Platform) -> None:
    change = await platform.opened()
    assert await platform.answer(ask(of=OfChange(change.id, Deed.CLOSE))) is RequestState.CLOSED
    await platform.look()
    assert (await platform.pull(change)).pull.state is PullState.CLOSED
    assert platform.branches() == {}


async def test_what_is_closed_there_by_who_may_is_closed_here(platform: Platform) -> None:
    change = await platform.opened()
    number = (await platform.pull(change)).pull.number
    platform.world.act(BEN, "PATCH", f"/pulls/{number}", {"state": "closed"})
    await platform.look(3)
    closed = platform.change(change.id)
    assert (closed.state, closed.ended_by) == (ChangeState.CLOSED, DEVELOPER.user)
    assert platform.branches() == {}


async def test_what_a_stranger_closes_is_opened_again(platform: Platform) -> None:
    change = await platform.opened()
    number = (await platform.pull(change)).pull.number
    platform.world.act(BOT, "PATCH", f"/pulls/{number}", {"state": "closed"})
    await platform.look(3)
    again = await platform.pull(change)
    assert (again.pull.state, again.pull.number > number) == (PullState.OPEN, True)
    assert platform.change(change.id).state is ChangeState.OPEN


async def test_a_branch_that_a_person_deletes_closes_its_change(platform: Platform) -> None:
    change = await platform.opened()
    theirs = platform.world.remote(platform.repository.path, BEN)
    theirs.push([RefUpdate(f"refs/heads/change/{change.id}", change.head, None)])
    await platform.until_state(change, PullState.CLOSED)
    await platform.look(3)
    assert platform.change(change.id).state is ChangeState.CLOSED


async def test_what_others_push_to_the_branch_is_not_the_change(platform: Platform) -> None:
    change = await platform.opened()
    theirs = GitRepository.create(platform.repository.path.parent / "theirs.git")
    remote = platform.world.remote(theirs.path, BEN)
    branch = f"refs/heads/change/{change.id}"
    remote.fetch(branch, branch)
    new = NewCommit(PLATFORM, PLATFORM, NOON, "By hand\n", {BLUE: body(BLUE, SECOND_SPEC)})
    (made,) = theirs.append("theirs", change.head, [new])
    remote.push([RefUpdate(branch, change.head, made)])
    await platform.look(3)
    found = await platform.pull(change)
    assert (found.pull.head, platform.change(change.id).head) == (made, change.head)
    assert checks(found)["ordain/plan"].verdict is Verdict.FAILURE
    await platform.review(change, ANA)
    await platform.look()
    assert platform.record(change.id).approvals == ()
    remote.push([RefUpdate(branch, made, change.head)])
    await platform.look(3)
    assert (await platform.pull(change)).pull.head == change.head


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
async def test_a_button_that_is_pressed_without_approvals_is_told(platform: Platform, how: str) -> None:
    change = await platform.opened()
    platform.world.press_merge((await platform.pull(change)).pull.number, how)
    await platform.write()
    await platform.look(3)
    merged = platform.change(change.id)
    assert (merged.state, merged.ended_by) == (ChangeState.MERGED, APPROVER.user)
    trailers = platform.repository.info(merged.commit).trailers
    assert trailers["Ordain-Merged-By"] == (APPROVER.user,)
    assert "Ordain-Approved-By" not in trailers
    commit_ = (await platform.pull(change)).commit
    status = platform.world.act(BOT, "GET", f"/commits/{commit_}/status")["statuses"]
    (told,) = [each for each in status if each["context"] == "ordain/approvals"]
    assert "without the approvals" in told["description"]
    assert platform.branches() == {}


async def test_while_the_forge_is_away_changes_go_on_here(platform: Platform) -> None:
    if (double := platform.world.double) is None:
        pytest.skip("a real forge is not taken away")
    request = ask(put(BLUE, DEPLOY_SPEC))
    assert await platform.answer(request) is RequestState.PROPOSED
    double.fault = lambda _: Answer(HTTPStatus.BAD_GATEWAY)
    platform.seconds += 3600
    with pytest.raises(Waiting):
        await platform.worker.turn()
    assert "502" in platform.ledger.reason(PULLS)
    change = platform.change(change_id(request.id))
    double.fault = lambda _: None
    await platform.look()
    assert platform.ledger.reason(PULLS) == ""
    assert (await platform.pull(change)).pull.state is PullState.OPEN


async def test_one_that_the_forge_refuses_does_not_hold_up_the_others(platform: Platform) -> None:
    if (double := platform.world.double) is None:
        pytest.skip("a real forge refuses nothing")
    first, second = ask(put(BLUE, DEPLOY_SPEC)), ask(put(BLUE.replace("blue", "green"), DEPLOY_SPEC))
    await platform.answer(first)
    await platform.answer(second)
    refused = min(change_id(first.id), change_id(second.id))

    def fault(asked: Asked) -> Answer | None:
        opens = asked.method == "POST" and asked.path.endswith("/pulls")
        mine = opens and refused in asked.body["head"]
        return Answer(HTTPStatus.FORBIDDEN, {"message": "no"}) if mine else None

    double.fault = fault
    platform.seconds += 3600
    with pytest.raises(Stalled):
        await platform.worker.turn()
    assert "no" in platform.ledger.reason(pull_name(refused))
    assert len(await platform.forge.list()) == 1
    double.fault = lambda _: None
    await platform.look()
    assert len(await platform.forge.list()) == 2
    assert platform.ledger.reason(pull_name(refused)) == ""


async def test_a_step_that_is_cut_off_is_done_once(platform: Platform) -> None:
    """Whatever request to the forge is the last one, another look finds what is left."""
    if (double := platform.world.double) is None:
        pytest.skip("a real forge is not cut off")
    request = ask(put(BLUE, DEPLOY_SPEC))
    await platform.answer(request)
    for step in range(12):
        left = [step]

        def fault(_: Asked, left: list[int] = left) -> Answer | None:
            left[0] -= 1
            return Answer(HTTPStatus.BAD_GATEWAY) if left[0] < 0 else None

        double.fault = fault
        platform.restart()
        platform.seconds += 3600
        try:
            await platform.worker.turn()
        except Waiting:
            continue
    double.fault = lambda _: None
    await platform.look()
    assert len(double.pulls) == 1
    change = platform.change(change_id(request.id))
    found = await platform.pull(change)
    assert checks(found).keys() == {"ordain/plan", "ordain/approvals"}
    assert len(double.statuses[change.head]) == 2
