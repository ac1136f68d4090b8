"""The Forge port: one suite on the doubles, and on a real Gitea where `ORDAIN_TEST_GITEA` tells of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reconciler.planning.forge import Check, Proposal, PullRequest, PullState, Verdict
from reconciler.planning.plan.markdown import MARKER
from reconciler.planning.remote import Attempt
from reconciler.ports.errors import Conflict, Stalled, Waiting
from reconciler.ports.forge import Forge
from reconciler.ports.remote import RefUpdate
from reconciler.ports.repository import MAIN, NewCommit, Signature
from reconciler.stores.git.repository import GitRepository
from tests.support.forge_double import ANA, BEN, BOT
from tests.support.forges import WORLDS, World
from tests.support.repositories import NOON, PLATFORM

pytestmark = pytest.mark.anyio

DEVELOPER = Signature("dev", "dev@acme.example")
TRAILERS = "\n\nOrdain-Request: 6f1c1c6e-0000-4000-8000-000000000001\n"
SEEN_WITHIN_SECONDS = 20.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with WORLDS[request.param](tmp_path / "forge") as made:
        yield made


@pytest.fixture
async def forge(world: World) -> AsyncIterator[Forge]:
    made = world.forge()
    yield made
    await made.aclose()


@dataclass
class Platform:
    """The platform's repository here, and its account on the forge."""

    world: World
    repository: GitRepository
    root: str = field(init=False)

    def __post_init__(self) -> None:
        self.remote = self.world.remote(self.repository.path)
        self.root = self.commit(None, {"a": b"1"})
        self.push(MAIN, None, self.root)
        self.world.await_first_push()

    def commit(self, base: str | None, files: dict[str, bytes | None], message: str = "Change") -> str:
        new = NewCommit(DEVELOPER, PLATFORM, NOON, f"{message}{TRAILERS}", files)
        return self.repository.append("test", base, [new])[0]

    def push(self, ref: str, old: str | None, new: str | None) -> None:
        assert self.remote.push([RefUpdate(ref, old, new)]).attempt is Attempt.ACCEPTED

    def main(self) -> str:
        return self.remote.heads([MAIN])[MAIN]

    def change(self, name: str = "1", text: bytes = b"2") -> Proposal:
        """Put a change's branch on the forge."""
        head = self.commit(self.root, {f"file-{name}": text}, f"Change {name}")
        self.push(f"refs/heads/change/{name}", None, head)
        return Proposal(f"change/{name}", head, f"Change {name}", f"{MARKER}\n### Plan: one deployment\n")

    def land(self, proposal: Proposal, base: str, head: str) -> None:
        """Put a commit on main and on the branch of its change, at once."""
        branch = f"refs/heads/{proposal.branch}"
        pushed = self.remote.push([RefUpdate(MAIN, base, head), RefUpdate(branch, proposal.head, head)])
        assert pushed.attempt is Attempt.ACCEPTED, pushed.said


@pytest.fixture
def platform(world: World, tmp_path: Path) -> Platform:
    return Platform(world, GitRepository.create(tmp_path / "state.git"))


async def state_of(forge: Forge, number: int) -> PullState:
    details = await forge.show(number)
    assert details is not None
    return details.pull.state


async def test_a_change_becomes_a_pull_request(platform: Platform, forge: Forge) -> None:
    assert await forge.list() == []
    proposal = platform.change()
    made = await forge.propose(proposal)
    expected = PullRequest(
        number=made.number,
        branch="change/1",
        head=proposal.head,
        title="Change 1",
        author=platform.world.names[BOT],
        state=PullState.OPEN,
        url=made.url,
        updated_at=made.updated_at,
    )
    assert made == expected
    assert platform.world.url in made.url
    assert await forge.list() == [expected]
    details = await forge.show(made.number)
    assert details is not None
    assert (details.pull, details.reviews, details.checks) == (expected, (), ())


async def test_asked_again_it_is_the_same_one_with_the_new_plan(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    first = await forge.propose(proposal)
    assert await forge.propose(proposal) == first
    again = await forge.propose(replace(proposal, title="Change 1 more", plan=f"{MARKER}\n### Plan: two\n"))
    assert (again.number, again.title) == (first.number, "Change 1 more")
    body = platform.world.act(ANA, "GET", f"/pulls/{first.number}")["body"]
    assert body.count(MARKER) == 1
    assert "Plan: two" in body
    assert len(await forge.list()) == 1


async def test_what_people_wrote_before_the_plan_stays(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    number = (await forge.propose(proposal)).number
    body = platform.world.act(ANA, "GET", f"/pulls/{number}")["body"]
    platform.world.act(BOT, "PATCH", f"/pulls/{number}", {"body": f"Please look, Ana.\n\n{body}"})
    await forge.propose(replace(proposal, plan=f"{MARKER}\n### Plan: two\n"))
    body = platform.world.act(ANA, "GET", f"/pulls/{number}")["body"]
    assert body.startswith("Please look, Ana.")
    assert "Plan: two" in body
    assert "one deployment" not in body


async def test_a_branch_that_moved_on_is_not_proposed_as_it_was(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    await forge.propose(proposal)
    newer = platform.commit(proposal.head, {"file-1": b"3"})
    platform.push("refs/heads/change/1", proposal.head, newer)
    with pytest.raises(Conflict, match=newer):
        await forge.propose(proposal)
    assert (await forge.propose(replace(proposal, head=newer))).head == newer


async def test_a_branch_that_is_not_there_is_said(platform: Platform, forge: Forge) -> None:
    with pytest.raises((Stalled, Waiting)):
        await forge.propose(Proposal("change/none", platform.root, "None", MARKER))


async def test_an_approval_is_of_the_head_that_it_saw(platform: Platform, forge: Forge) -> None:
    world, proposal = platform.world, platform.change()
    number = (await forge.propose(proposal)).number
    world.review(number, ANA)
    details = await forge.show(number)
    assert details is not None
    (approval,) = details.approvals
    assert (approval.by, approval.head, approval.at.tzinfo is not None) == (world.names[ANA], proposal.head, True)
    newer = platform.commit(proposal.head, {"file-1": b"3"})
    platform.push("refs/heads/change/1", proposal.head, newer)
    details = await forge.show(number)
    assert details is not None
    assert (details.pull.head, details.approvals) == (newer, ())
    assert [each.head for each in details.reviews] == [proposal.head]


async def test_the_last_word_of_each_counts(platform: Platform, forge: Forge) -> None:
    world, proposal = platform.world, platform.change()
    number = (await forge.propose(proposal)).number
    world.review(number, ANA)
    await asyncio.sleep(1.1)  # forges count in seconds
    world.review(number, ANA, approve=False)
    bens = world.review(number, BEN)
    details = await forge.show(number)
    assert details is not None
    words = {each.by: each.approves for each in details.reviews}
    assert words == {world.names[ANA]: False, world.names[BEN]: True}
    world.dismiss(number, bens)
    details = await forge.show(number)
    assert details is not None
    words = {each.by: each.approves for each in details.reviews}
    assert words == {world.names[ANA]: False, world.names[BEN]: False}, "what was dismissed approves nothing"


async def test_nobody_approves_their_own(platform: Platform, forge: Forge) -> None:
    number = (await forge.propose(platform.change())).number
    with pytest.raises(AssertionError, match="422"):
        platform.world.review(number, BOT)


async def test_checks_are_set_once_and_read_back(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    number = (await forge.propose(proposal)).number
    running = Check("ordain/plan", Verdict.PENDING, "planning")
    await forge.set_check(proposal.head, running)
    details = await forge.show(number)
    assert details is not None
    assert details.checks == (running,)
    failed = Check("ordain/plan", Verdict.FAILURE, "a quota is exceeded " * 20, "http://acme.ml.localhost/changes/1")
    other = Check("ordain/approvals", Verdict.SUCCESS, "1 of 1")
    for check in (failed, failed, other):
        await forge.set_check(proposal.head, check)
    details = await forge.show(number)
    assert details is not None
    names = {each.name: each for each in details.checks}
    assert names["ordain/approvals"] == other
    assert names["ordain/plan"].verdict is Verdict.FAILURE
    assert names["ordain/plan"].url == failed.url
    assert names["ordain/plan"].summary.startswith("a quota is exceeded")
    assert all(each.at is not None and each.at.tzinfo for each in details.checks)
    asked = platform.world.act(ANA, "GET", f"/commits/{proposal.head}/status")
    assert asked["total_count"] == 2


async def test_a_change_that_main_has_is_marked_as_merged(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    number = (await forge.propose(proposal)).number
    platform.land(proposal, platform.root, proposal.head)
    assert await merged(forge, number, proposal.head) is PullState.MERGED
    assert await merged(forge, number, proposal.head) is PullState.MERGED, "also when asked again"
    assert await state_of(forge, number) is PullState.MERGED
    assert await forge.list() == []
    assert platform.main() == proposal.head, "main moved by our own push alone"


async def test_a_change_is_landed_on_a_main_that_moved(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    number = (await forge.propose(proposal)).number
    other = platform.commit(platform.root, {"b": b"1"}, "Another")
    platform.push(MAIN, platform.root, other)
    landed = platform.commit(other, {"file-1": b"2"}, "Change 1")
    platform.land(proposal, other, landed)
    assert await merged(forge, number, landed) is PullState.MERGED
    platform.remote.fetch(MAIN, "refs/ordain/fetched")
    info = platform.repository.info(platform.main())
    assert (info.id, info.author) == (landed, DEVELOPER)
    assert info.trailers["Ordain-Request"]


async def test_a_change_is_merged_at_the_head_that_was_looked_at(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    number = (await forge.propose(proposal)).number
    newer = platform.commit(proposal.head, {"file-1": b"3"})
    platform.push("refs/heads/change/1", proposal.head, newer)
    with pytest.raises(Conflict, match=newer):
        await forge.merge(number, proposal.head)
    assert await state_of(forge, number) is PullState.OPEN


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
async def test_a_button_that_a_person_presses_is_followed(platform: Platform, forge: Forge, how: str) -> None:
    proposal = platform.change()
    number = (await forge.propose(proposal)).number
    platform.push(MAIN, platform.root, platform.commit(platform.root, {"b": b"1"}, "Another"))
    platform.world.press_merge(number, how)
    platform.remote.fetch(MAIN, "refs/ordain/fetched")
    main = platform.main()
    details = await forge.show(number)
    assert details is not None
    assert (details.pull.state, details.commit) == (PullState.MERGED, main)
    assert details.ended_by == platform.world.names[ANA]
    assert platform.repository.descends(main, platform.root)
    assert platform.repository.read(main, "file-1") == b"2"
    line = platform.repository.between(platform.root, main)
    assert line[-1].id == main
    told = [each for commit in line for each in (*platform.repository.merged(commit), commit) if each.trailers]
    assert told, "the request's trailer came along"


async def test_a_change_can_be_closed(platform: Platform, forge: Forge) -> None:
    proposal = platform.change()
    number = (await forge.propose(proposal)).number
    await forge.close(number, "The request was withdrawn.")
    assert await state_of(forge, number) is PullState.CLOSED
    await forge.close(number, "The request was withdrawn.")
    assert await forge.list() == []
    for _ in range(2):
        again = await forge.propose(proposal)
        assert again.number > number, "what is proposed again is a new pull request"
        assert await forge.propose(proposal) == await forge.latest(proposal.branch) == again
        await forge.close(again.number, "Once more.")
        assert (await latest(forge, proposal.branch)).number == again.number
        number = again.number


async def latest(forge: Forge, branch: str) -> PullRequest:
    found = await forge.latest(branch)
    assert found is not None
    return found


async def test_who_closed_it_is_told(platform: Platform, forge: Forge) -> None:
    world, proposal = platform.world, platform.change()
    assert await forge.latest(proposal.branch) is None
    number = (await forge.propose(proposal)).number
    details = await forge.show(number)
    assert details is not None
    assert (details.ended_by, details.commit) == ("", "")
    world.act(ANA, "PATCH", f"/pulls/{number}", {"state": "closed"})
    details = await forge.show(number)
    assert details is not None
    assert (details.pull.state, details.ended_by, details.commit) == (PullState.CLOSED, world.names[ANA], "")


async def test_a_branch_that_a_person_deletes_closes_its_pull_request(platform: Platform, forge: Forge) -> None:
    world, proposal = platform.world, platform.change()
    number = (await forge.propose(proposal)).number
    theirs = world.remote(platform.repository.path, ANA)
    assert theirs.refs("refs/heads/change") == {"1": proposal.head}
    theirs.push([RefUpdate("refs/heads/change/1", proposal.head, None)])
    async with asyncio.timeout(SEEN_WITHIN_SECONDS):
        while (await latest(forge, proposal.branch)).state is PullState.OPEN:
            await asyncio.sleep(0.1)
    details = await forge.show(number)
    assert details is not None
    assert details.ended_by == world.names[ANA]


async def test_what_happens_to_a_pull_request_moves_its_time(platform: Platform, forge: Forge) -> None:
    world, proposal = platform.world, platform.change()
    number = (await forge.propose(proposal)).number
    seen = [(await forge.list())[0].updated_at]
    await asyncio.sleep(1.1)  # forges count in seconds
    review = world.review(number, ANA)
    seen.append((await forge.list())[0].updated_at)
    await asyncio.sleep(1.1)
    world.dismiss(number, review)
    seen.append((await forge.list())[0].updated_at)
    assert seen[0] < seen[1] < seen[2]
    await forge.comment(number, "Seen.")


async def test_what_is_no_change_of_ours_is_not_listed(platform: Platform, forge: Forge) -> None:
    head = platform.commit(platform.root, {"c": b"1"})
    platform.push("refs/heads/feature", None, head)
    platform.world.act(ANA, "POST", "/pulls", {"head": "feature", "base": "main", "title": "Feature", "body": ""})
    await forge.propose(platform.change())
    assert [each.branch for each in await forge.list()] == ["change/1"]


async def test_what_is_not_there_is_none(platform: Platform, forge: Forge) -> None:
    assert await forge.show(99) is None
    with pytest.raises(Stalled, match="nothing is there"):
        await forge.merge(99, platform.root)
    await forge.close(99, "nothing to close")


async def test_a_token_that_nobody_has_is_refused_without_being_told(platform: Platform) -> None:
    secret = "a-token-that-nobody-has"
    forge = platform.world.forge(lambda: secret)
    with pytest.raises(Stalled, match="does not accept the token") as refused:
        await forge.list()
    await forge.aclose()
    assert secret not in str(refused.value)


async def merged(forge: Forge, number: int, head: str) -> PullState:
    """Mark as merged, as often as the forge wants to be asked."""
    async with asyncio.timeout(SEEN_WITHIN_SECONDS):
        while True:
            try:
                return await forge.merge(number, head)
            except Waiting as waiting:
                await asyncio.sleep(min(waiting.after, 0.2))
