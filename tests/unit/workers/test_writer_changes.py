"""Changes through the writer, on a real repository: opened, updated, merged and closed, whatever ends it in between."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intents.authority import Principal
from intents.tree import Tree
from reconciler.planning.changes import Approval, Change, ChangeId, ChangeState, ChangeVerb, Deed, OfChange, change_id
from reconciler.planning.proposing import MOST_OPEN, preview
from reconciler.planning.writing import Author, Write, WriteRequest
from reconciler.ports.changes import ChangeRecord, ChangeStep
from reconciler.ports.repository import RefMove
from reconciler.ports.requests import RequestState, RequestStatus
from reconciler.stores.fake_requests import MemoryQueue, MemoryRequests
from reconciler.stores.git.repository import GitRepository
from reconciler.workers import change_branches
from reconciler.workers.change_branches import CRASH_POINTS as BRANCH_POINTS
from reconciler.workers.change_branches import ENDED, OPEN, read_change
from reconciler.workers.tree_at_head import advanced
from reconciler.workers.writer import CRASH_POINTS, Writer
from tests.fixtures.approvals import (
    APPROVER,
    BLUE,
    DEPLOY_SPEC,
    DEVELOPER,
    LEAD,
    NOON,
    OTHER_DEVELOPER,
    SECOND_SPEC,
    approved_specs,
    ask,
    body,
    put,
    remove,
)
from tests.fixtures.trees import DEPLOYMENT, FRAUD, ROLLOUT, RUN, small_specs
from tests.support.repositories import PLATFORM, commit, intent

pytestmark = pytest.mark.anyio

GREEN = BLUE.replace("blue", "green")
SECOND_RUN = RUN.replace("first", "second")


class Crash(Exception):
    """The process ends here."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Place:
    """A repository, a ledger, and writers that come and go."""

    repository: GitRepository
    requests: MemoryRequests = field(default_factory=MemoryRequests)

    @property
    def queue(self) -> MemoryQueue:
        return MemoryQueue(self.requests)

    def writer(self, reached: Callable[[str], None] = lambda _: None) -> Writer:
        return Writer(self.repository, self.queue, PLATFORM, lambda: datetime.now(UTC), reached)

    async def turn(self, reached: Callable[[str], None] = lambda _: None) -> None:
        """Let a new writer recover, then work off all that waits."""
        writer = self.writer(reached)
        async with self.queue.hold() as lock:
            head = await writer.recover()
            while await self.queue.waiting(1):
                head, _ = await writer.turn(head, lock)

    async def asked(self, *requests: WriteRequest) -> Sequence[RequestStatus]:
        """Put requests, let a writer work, and return the answers."""
        for request in requests:
            await self.queue.put(request)
        await self.turn()
        return [self.requests.rows[request.id].status for request in requests]

    async def open(self, request: WriteRequest | None = None) -> Change:
        request = request or ask(put(BLUE, DEPLOY_SPEC))
        (status,) = await self.asked(request)
        assert status.state is RequestState.PROPOSED, status
        return self.change(change_id(request.id))

    def change(self, change: ChangeId) -> Change:
        return self.requests.changes[change].change

    async def approve(self, change: Change, who: str = APPROVER.user) -> None:
        """Approve what the change would do now."""
        known = read_change(self.repository, self.requests.changes[change.id])
        shown = preview(self.tree, known, now=NOON)
        approver = replace(APPROVER, user=who)
        given = Approval(change.id, approver, shown.digest, known.change.head, datetime.now(UTC))
        await self.queue.changes.approve(given)

    @property
    def tree(self) -> Tree:
        return advanced(self.repository, Tree.empty(), None, self.repository.head() or "")

    def branches(self) -> dict[str, str]:
        return dict(self.repository.refs(OPEN))

    def is_sound(self) -> None:
        done = subprocess.run(
            ["git", "fsck", "--full", "--strict"], cwd=self.repository.path, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def of(change: Change, deed: Deed, *writes: Write, head: str = "", who: Principal = DEVELOPER) -> WriteRequest:
    return ask(*writes, principal=who, of=OfChange(change.id, deed, head))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    repository = GitRepository.create(tmp_path / "state.git")
    specs = {path: spec for path, spec in approved_specs().items() if path != RUN}
    commit(repository, {path: intent(path, spec) for path, spec in specs.items()})
    return Place(repository)


async def test_what_needs_approval_is_a_commit_beside_main(place: Place) -> None:
    main = place.repository.head() or ""
    request = replace(ask(put(BLUE, DEPLOY_SPEC)), merge_when_approved=True)
    change = await place.open(request)
    assert place.repository.head() == main
    assert place.branches() == {change.id: change.head}
    made = place.repository.info(change.head)
    assert (made.parent, made.author.name, made.subject) == (main, DEVELOPER.user, "Deploy blue")
    assert made.trailers == {
        "Ordain-Request": (str(request.id),),
        "Ordain-Change": (change.id,),
        "Ordain-Base": (main,),
        "Ordain-Project": ("acme/fraud",),
        "Ordain-Merge": ("when-approved",),
        "Ordain-Intent": (BLUE,),
    }
    assert place.repository.read(change.head, BLUE) == body(BLUE, DEPLOY_SPEC)
    assert (change.base, change.paths, change.author, change.merge_when_approved) == (main, (BLUE,), DEVELOPER, True)
    place.is_sound()


async def test_a_change_is_answered_beside_commits_and_refusals_of_the_same_turn(place: Place) -> None:
    run, wrong = ask(put(SECOND_RUN, small_specs()[RUN])), ask(put(RUN, {"template": "nobody@1.0.0"}))
    first, second = ask(put(BLUE, DEPLOY_SPEC)), ask(put(GREEN, DEPLOY_SPEC))
    answers = await place.asked(first, run, wrong, second)
    assert [each.state for each in answers] == [
        RequestState.PROPOSED,
        RequestState.COMMITTED,
        RequestState.REFUSED,
        RequestState.PROPOSED,
    ]
    assert [each.change for each in answers] == [change_id(first.id), "", "", change_id(second.id)]
    committed = place.repository.info(answers[1].commit)
    assert place.change(change_id(first.id)).base == committed.parent, "decided before the run was there"
    assert place.change(change_id(second.id)).base == committed.id


async def test_an_approved_change_is_one_commit_of_its_author_on_main(place: Place) -> None:
    change = await place.open()
    await place.approve(change)
    await place.approve(change, "lea@acme.example")
    await place.asked(ask(put(SECOND_RUN, small_specs()[RUN])))
    before = place.repository.head()
    request = of(change, Deed.MERGE, head=change.head, who=OTHER_DEVELOPER)
    (status,) = await place.asked(request)
    assert (status.state, status.change, status.paths) == (RequestState.COMMITTED, change.id, (BLUE,))
    made = place.repository.info(place.repository.head() or "")
    assert (made.id, made.parent, made.author.name) == (status.commit, before, DEVELOPER.user)
    assert made.trailers == {
        "Ordain-Request": (str(request.id),),
        "Ordain-Change": (change.id,),
        "Ordain-Approved-By": (APPROVER.user,),
        "Ordain-Merged-By": (OTHER_DEVELOPER.user,),
        "Ordain-Intent": (BLUE,),
    }
    merged = place.change(change.id)
    assert (merged.state, merged.commit, merged.ended_by) == (ChangeState.MERGED, made.id, OTHER_DEVELOPER.user)
    assert place.branches() == {}
    assert place.repository.refs(ENDED) == {change.id: change.head}
    place.is_sound()


@pytest.mark.parametrize("deed", [Deed.MERGE, Deed.CLOSE, Deed.UPDATE])
async def test_nothing_is_done_to_what_ended(place: Place, deed: Deed) -> None:
    change = await place.open()
    assert (await place.asked(of(change, Deed.CLOSE, who=APPROVER)))[0].state is RequestState.CLOSED
    closed = place.change(change.id)
    assert (closed.state, closed.ended_by) == (ChangeState.CLOSED, APPROVER.user)
    assert place.branches() == {}
    (status,) = await place.asked(of(change, deed))
    assert [each.code for each in status.problems] == ["change-not-open"]
    assert place.change(change.id) == closed


async def test_two_merges_at_once_are_one_commit(place: Place) -> None:
    change = await place.open()
    await place.approve(change)
    first, second = await place.asked(of(change, Deed.MERGE), of(change, Deed.MERGE))
    assert first.state is RequestState.COMMITTED
    assert [each.code for each in second.problems] == ["change-not-open"]
    assert place.repository.info(place.repository.head() or "").id == first.commit


async def test_without_a_word_nothing_is_merged(place: Place) -> None:
    change, main = await place.open(), place.repository.head()
    await place.approve(change, DEVELOPER.user)
    (status,) = await place.asked(of(change, Deed.MERGE))
    assert [each.code for each in status.problems] == ["approval-missing"]
    assert place.repository.head() == main
    assert place.branches() == {change.id: change.head}


async def test_an_update_is_a_commit_on_the_branch_and_lets_approvals_fall(place: Place) -> None:
    change = await place.open()
    await place.approve(change)
    await place.asked(ask(put(SECOND_RUN, small_specs()[RUN])))
    (status,) = await place.asked(of(change, Deed.UPDATE, put(BLUE, SECOND_SPEC), put(GREEN, DEPLOY_SPEC)))
    updated = place.change(change.id)
    assert (status.state, status.commit) == (RequestState.PROPOSED, updated.head)
    assert place.repository.info(updated.head).parent == change.head
    assert place.branches() == {change.id: updated.head}
    assert (updated.base, updated.paths) == (place.repository.head(), (BLUE, GREEN))
    assert (updated.opened_at, updated.subject) == (change.opened_at, change.subject)
    (status,) = await place.asked(of(change, Deed.MERGE))
    assert [each.code for each in status.problems] == ["approval-missing"]
    assert "the change was updated" in status.problems[0].message
    await place.approve(updated)
    (status,) = await place.asked(of(change, Deed.MERGE))
    assert status.paths == (BLUE, GREEN)
    assert place.repository.read(status.commit, BLUE) == body(BLUE, SECOND_SPEC)


async def test_requests_about_one_change_follow_each_other(place: Place) -> None:
    request = ask(put(BLUE, DEPLOY_SPEC))
    about = OfChange(change_id(request.id), Deed.UPDATE)
    update, close = ask(put(BLUE, SECOND_SPEC), of=about), ask(of=replace(about, deed=Deed.CLOSE))
    run = ask(put(SECOND_RUN, small_specs()[RUN]))
    answers = await place.asked(request, update, close, run)
    assert [each.state for each in answers] == [
        RequestState.PROPOSED,
        RequestState.PROPOSED,
        RequestState.CLOSED,
        RequestState.COMMITTED,
    ]


async def test_a_conflict_with_main_refuses_the_merge(place: Place) -> None:
    change = await place.open(ask(put(DEPLOYMENT, SECOND_SPEC)))
    await place.approve(change)
    theirs = small_specs()[DEPLOYMENT] | {"endpoint": {"timeout": "9s"}}
    commit(place.repository, {DEPLOYMENT: intent(DEPLOYMENT, theirs)})
    (status,) = await place.asked(of(change, Deed.MERGE))
    assert (status.state, status.conflict) == (RequestState.REFUSED, True)
    assert place.change(change.id).state is ChangeState.OPEN


async def test_an_approval_falls_when_main_moves_such_that_the_plan_is_another(place: Place) -> None:
    change = await place.open(ask(put(DEPLOYMENT, SECOND_SPEC)))
    await place.approve(change)
    live = [{**small_specs()[ROLLOUT]["live"][0], "replicas": {"min": 2, "max": 4}}]
    commit(place.repository, {ROLLOUT: intent(ROLLOUT, {**small_specs()[ROLLOUT], "live": live})})
    (status,) = await place.asked(of(change, Deed.MERGE))
    assert [each.code for each in status.problems] == ["approval-missing"]
    assert "the plan is another now" in status.problems[0].message
    await place.approve(change)
    assert (await place.asked(of(change, Deed.MERGE)))[0].state is RequestState.COMMITTED


async def test_a_removed_deployment_takes_its_rollout_along(place: Place) -> None:
    change = await place.open(ask(remove(DEPLOYMENT), remove(ROLLOUT)))
    await place.approve(change)
    commit(place.repository, {ROLLOUT: intent(ROLLOUT, small_specs()[ROLLOUT] | {"step": 1})})
    await place.approve(change)
    (status,) = await place.asked(of(change, Deed.MERGE))
    assert status.paths == (ROLLOUT, DEPLOYMENT)
    assert not {DEPLOYMENT, ROLLOUT} & set(place.tree)


async def test_a_branch_that_others_moved_stops_nobody_else(place: Place) -> None:
    change = await place.open()
    place.repository.move(f"{OPEN}/{change.id}", change.head, place.repository.head() or "")
    run = ask(put(SECOND_RUN, small_specs()[RUN]))
    update, ran = await place.asked(of(change, Deed.UPDATE, put(BLUE, SECOND_SPEC)), run)
    assert [each.code for each in update.problems] == ["change-updated"]
    assert ran.state is RequestState.COMMITTED


async def test_a_change_whose_commits_are_gone_is_refused_alone(place: Place) -> None:
    change = await place.open()
    lost = replace(change, head="1" * 40)
    place.requests.changes[change.id] = ChangeRecord(lost)
    place.repository.move_all([RefMove(f"{OPEN}/{change.id}", change.head, None)])
    merging, run = await place.asked(of(change, Deed.MERGE), ask(put(SECOND_RUN, small_specs()[RUN])))
    assert [each.code for each in merging.problems] == ["change-not-open"]
    assert run.state is RequestState.COMMITTED


async def test_a_tenant_has_so_many_open_changes_and_no_more(place: Place) -> None:
    change = await place.open()
    for number in range(MOST_OPEN - 1):
        other = replace(change, id=ChangeId(f"other-{number}"))
        await place.queue.close((), (), None, [ChangeStep(other, ChangeVerb.OPENED, None)])
    (status,) = await place.asked(ask(put(GREEN, DEPLOY_SPEC)))
    assert [each.code for each in status.problems] == ["too-many-changes"]
    (status,) = await place.asked(of(change, Deed.CLOSE))
    assert status.state is RequestState.CLOSED
    (status,) = await place.asked(ask(put(GREEN, DEPLOY_SPEC)))
    assert status.state is RequestState.PROPOSED


async def test_of_ended_changes_the_newest_stay_known(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_branches, "MOST_ENDED", 2)
    ended = []
    for number in range(4):
        change = await place.open(ask(put(BLUE.replace("blue", f"blue-{number}"), DEPLOY_SPEC)))
        await place.asked(of(change, Deed.CLOSE))
        ended.append(change.id)
    kept = place.repository.refs(ENDED)
    assert len(kept) == 2
    assert ended[-1] in kept


async def test_a_new_ledger_learns_open_changes_from_git(place: Place) -> None:
    change = await place.open(replace(ask(put(BLUE, DEPLOY_SPEC), principal=LEAD), merge_when_approved=True))
    (status,) = await place.asked(of(change, Deed.UPDATE, put(GREEN, DEPLOY_SPEC), who=LEAD))
    assert status.state is RequestState.PROPOSED
    updated = place.change(change.id)
    foreign = place.repository.head() or ""
    place.repository.move(f"{OPEN}/by-hand", None, foreign)
    place.requests = MemoryRequests()
    await place.turn()
    (known,) = place.requests.changes.values()
    exact = ("id", "tenant", "project", "email", "subject", "base", "head", "paths", "merge_when_approved", "state")
    assert [getattr(known.change, name) for name in exact] == [getattr(updated, name) for name in exact]
    assert known.change.author.user == LEAD.user
    assert place.branches() == {change.id: updated.head, "by-hand": foreign}


async def test_a_new_ledger_knows_who_pushed_a_change_from_whom_its_commit_names(place: Place) -> None:
    said = Author(APPROVER.user, "ann@elsewhere.example", NOON)
    change = await place.open(replace(ask(put(BLUE, DEPLOY_SPEC), principal=LEAD), author=said))
    assert place.repository.info(change.head).author.name == APPROVER.user
    place.requests = MemoryRequests()
    await place.turn()
    (known,) = place.requests.changes.values()
    assert (known.change.author.user, known.change.email) == (LEAD.user, LEAD.user)


POINTS = (*CRASH_POINTS, *BRANCH_POINTS)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("deed", ["open", "update", "merge", "close"])
async def test_a_crash_at_any_step_leaves_it_done_once_or_open(place: Place, deed: str, point: str) -> None:
    request = ask(put(BLUE, DEPLOY_SPEC), principal=LEAD)
    change = None if deed == "open" else await place.open(request)
    if change is not None:
        await place.approve(change)
        writes = [put(BLUE, SECOND_SPEC)] if deed == "update" else []
        request = of(change, Deed(deed), *writes, who=LEAD)
    await place.queue.put(request)
    seen: list[str] = []

    def reached(name: str) -> None:
        seen.append(name)
        if name == point:
            raise Crash(name)

    try:
        await place.turn(reached)
    except Crash:
        await place.turn()
    else:
        assert point not in seen
    status = place.requests.rows[request.id].status
    (known,) = place.requests.changes.values()
    tip = place.branches()
    match deed:
        case "open" | "update":
            assert (status.state, status.change, status.commit) == (
                RequestState.PROPOSED,
                known.change.id,
                known.change.head,
            )
            assert tip == {known.change.id: known.change.head}
            assert known.change.author == LEAD, "groups included"
        case "merge":
            assert (status.state, known.change.state, tip) == (RequestState.COMMITTED, ChangeState.MERGED, {})
            history = place.repository.between(None, place.repository.head() or "")
            assert [each.id for each in history if "Ordain-Change" in each.trailers] == [known.change.commit]
        case _:
            assert (status.state, known.change.state, tip) == (RequestState.CLOSED, ChangeState.CLOSED, {})
    verbs = [fact.verb for fact in place.requests.facts.values() if fact.noun == "change"]
    assert len(verbs) == len(set(verbs)), "each is told once"
    assert FRAUD in place.tree
    place.is_sound()
