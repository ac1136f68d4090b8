"""What the forge should show of a change, what people say there, and what follows from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intents.authority import Principal
from reconciler.planning.changes import Approval, ChangeState, Deed
from reconciler.planning.forge import Check, PullDetails, PullRequest, PullState, Review, Verdict
from reconciler.planning.proposing import KnownChange, Preview, decide, preview
from reconciler.planning.pull_requests import (
    Action,
    Ask,
    ClosePull,
    Count,
    MarkMerged,
    MoveBranch,
    Say,
    SetCheck,
    Show,
    There,
    Withdraw,
    branch_of,
    of_ended,
    of_ended_there,
    of_open,
    words,
)
from reconciler.planning.pull_text import APPROVALS_CHECK, PLAN_CHECK, not_counting, showing_of
from reconciler.planning.writing import Accepted, Refused
from tests.fixtures.approvals import (
    ADMIN,
    APPROVER,
    BLUE,
    DEPLOY_SPEC,
    DEVELOPER,
    HEAD,
    OTHER_DEVELOPER,
    VIEWER,
    approve,
    approved_tree,
    ask,
    digest_at,
    known_of,
    opened,
    put,
)
from tests.fixtures.trees import document

TREE = approved_tree()
KNOWN = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
DIGEST = digest_at(TREE, KNOWN)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PEOPLE = {"ann": APPROVER.user, "ann-2": APPROVER.user, "dev": DEVELOPER.user, "don": OTHER_DEVELOPER.user}
BOT = "ordain-bot"


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def pull(state: PullState = PullState.OPEN, head: str = HEAD) -> PullRequest:
    return PullRequest(7, branch_of(KNOWN.change.id), head, "Deploy blue", BOT, state, "https://f/7", at(0))


def details(
    *reviews: Review, shown: str = DIGEST, since: int = 0, state: PullState = PullState.OPEN, **more: str
) -> PullDetails:
    check = Check(PLAN_CHECK, Verdict.SUCCESS, f"{shown[:12]}: 1 intent", at=at(since))
    return PullDetails(pull(state), reviews, (check,), **more)


def review(by: str = "ann", minutes: int = 5, head: str = HEAD, *, approves: bool = True) -> Review:
    return Review(by, approves, head, at(minutes))


def said(found: PullDetails, known: KnownChange = KNOWN) -> list[Count | Withdraw]:
    return list(words(TREE, known, DIGEST, found, PEOPLE))


def shown_of(known: KnownChange) -> Preview:
    return preview(TREE, known, now=NOON)


def open_actions(there: There, known: KnownChange = KNOWN) -> list[Action]:
    shown = shown_of(known)
    return list(of_open(known, there, shown, showing_of(known.change, shown)))


def given_at(minutes: int, who: Principal = APPROVER) -> KnownChange:
    return replace(KNOWN, approvals=(Approval(KNOWN.change.id, who, DIGEST, HEAD, at(minutes)),))


def test_an_approving_review_is_the_person_s_word_to_the_plan_that_was_shown() -> None:
    expected = Approval(KNOWN.change.id, Principal(APPROVER.user), DIGEST, HEAD, at(5))
    assert said(details(review())) == [Count(expected)]


@pytest.mark.parametrize(
    "found",
    [
        details(review(head="d" * 40)),
        details(review(), shown="e" * 64),
        details(review(minutes=5), since=6),
        details(review(by="nobody")),
        details(review(by="dev")),
        details(review(by="don")),
        details(review(approves=False)),
        replace(details(review()), checks=()),
    ],
    ids=["another head", "another plan", "an older plan", "no name", "the author", "no role", "no yes", "no plan"],
)
def test_others_count_for_nothing(found: PullDetails) -> None:
    assert said(found) == []


def test_a_later_word_holds_wherever_it_was_said() -> None:
    assert said(details(review(minutes=5)), given_at(5)) == [], "it is this one"
    assert said(details(review(minutes=5)), given_at(6)) == []
    assert said(details(review(minutes=5, approves=False)), given_at(6)) == []
    withdrawn = [Withdraw(KNOWN.change.id, APPROVER.user)]
    assert said(details(review(minutes=5, approves=False)), given_at(5)) == withdrawn, "it was dismissed"
    assert said(details(review(minutes=5, approves=False)), given_at(4)) == withdrawn


def test_two_accounts_of_one_person_are_one_word() -> None:
    found = details(review("ann", 5), review("ann-2", 6, approves=False))
    assert said(found) == []
    assert said(found, given_at(5)) == [Withdraw(KNOWN.change.id, APPROVER.user)]


REVIEWS = st.lists(
    st.builds(
        Review,
        st.sampled_from([*PEOPLE, "nobody"]),
        st.booleans(),
        st.sampled_from([HEAD, "d" * 40]),
        st.integers(0, 9).map(at),
    ),
    max_size=6,
    unique_by=lambda each: each.by,
)


@given(REVIEWS, st.integers(0, 9))
def test_said_once_it_is_not_said_again(reviews: Sequence[Review], since: int) -> None:
    found = details(*reviews, since=since)
    approvals: Mapping[str, Approval] = {}
    for _ in range(2):
        new = said(found, replace(KNOWN, approvals=tuple(approvals.values())))
        for each in new:
            if isinstance(each, Count):
                approvals = {**approvals, each.approval.approver.user: each.approval}
    assert new == []
    assert set(approvals) <= {APPROVER.user}


def test_a_change_that_is_not_there_is_pushed_and_shown() -> None:
    branch = branch_of(KNOWN.change.id)
    moved, shown = open_actions(There(None))
    assert moved == MoveBranch(branch, None, HEAD)
    assert isinstance(shown, Show)
    assert (shown.branch, shown.head, shown.showing.title) == (branch, HEAD, "Deploy blue")


def test_an_older_commit_of_the_change_is_moved_on() -> None:
    moved, shown = open_actions(There("d" * 40, is_older=True, pull=pull(head="d" * 40)))
    assert moved == MoveBranch(branch_of(KNOWN.change.id), "d" * 40, HEAD)
    assert isinstance(shown, Show)


def test_what_others_pushed_is_left_and_told() -> None:
    (told,) = open_actions(There("d" * 40, is_known=False))
    assert isinstance(told, SetCheck)
    assert (told.commit, told.check.verdict) == ("d" * 40, Verdict.FAILURE)
    assert HEAD[:12] in told.check.summary


def test_a_commit_that_is_known_and_no_older_one_is_waited_for() -> None:
    assert open_actions(There("d" * 40)) == [], "it is being merged just now"


def test_it_is_merged_with_its_last_approval_where_it_was_to_be() -> None:
    wanted = replace(KNOWN, change=replace(KNOWN.change, merge_when_approved=True))
    assert not any(isinstance(each, Ask) for each in open_actions(There(HEAD, pull=pull()), wanted))
    approved = approve(TREE, wanted, APPROVER)
    (asked,) = [each for each in open_actions(There(HEAD, pull=pull()), approved) if isinstance(each, Ask)]
    assert (asked.request.principal.user, asked.request.of_change) == (
        APPROVER.user,
        replace(asked.request.of_change, deed=Deed.MERGE),  # type: ignore[type-var]
    )
    again = [each for each in open_actions(There(HEAD, pull=pull()), approved) if isinstance(each, Ask)]
    assert again == [asked], "asked again it is the same request"
    assert not any(isinstance(each, Ask) for each in open_actions(There(HEAD), approve(TREE, KNOWN, APPROVER)))


def test_the_text_says_who_may_what_and_shows_the_plan() -> None:
    showing = showing_of(KNOWN.change, shown_of(KNOWN), ["`nobody`: no user"])
    lines = showing.text.splitlines()
    assert lines[0] == f"<!-- ordain change {KNOWN.change.id} -->"
    assert "- approvals: 0 of 1" in lines
    assert "- a review does not count: `nobody`: no user" in lines
    assert f"`{APPROVER.user}`" in showing.text
    assert "### Plan:" in showing.text
    plan, approvals = showing.checks
    assert (plan.name, plan.verdict, plan.summary.partition(":")[0]) == (PLAN_CHECK, Verdict.SUCCESS, DIGEST[:12])
    assert (approvals.name, approvals.verdict, approvals.summary) == (APPROVALS_CHECK, Verdict.PENDING, "0 of 1")
    done = approve(TREE, KNOWN, APPROVER)
    assert showing_of(done.change, shown_of(done)).checks[1].verdict is Verdict.SUCCESS


def test_what_people_wrote_is_no_markup() -> None:
    change = replace(KNOWN.change, author=Principal("`x` <img src=x> @all"), subject="a\x1b[31m\nb" + "x" * 900)
    showing = showing_of(change, shown_of(KNOWN), not_counting(TREE, KNOWN.change, DIGEST, details(review("`a`")), {}))
    assert "of `` `x` <img src=x> @all ``;" in showing.text
    assert "\x1b" not in showing.title + showing.text
    assert len(showing.title) <= 200
    assert len(showing.text) <= 65_536


def test_each_review_that_does_not_count_says_why() -> None:
    found = details(review("nobody"), review("don"), review("ann"), review("dev", head="d" * 40))
    told = list(not_counting(TREE, KNOWN.change, DIGEST, found, PEOPLE))
    assert len(told) == 2
    assert "`nobody`: no user is named" in told[0]
    assert "the role approver" in told[1]


def test_who_may_end_it_closes_it_on_the_forge() -> None:
    (asked,) = of_ended_there(TREE, KNOWN, details(state=PullState.CLOSED, ended_by="dev"), PEOPLE)
    assert isinstance(asked, Ask)
    assert asked.request.principal == Principal(DEVELOPER.user)
    assert asked.request.of_change is not None
    assert asked.request.of_change.deed is Deed.CLOSE


@pytest.mark.parametrize(
    ("who", "people", "why"),
    [("nobody", PEOPLE, "no user is named"), ("ana", {"ana": VIEWER.user}, "may not end this change")],
)
def test_others_close_nothing_and_are_told(who: str, people: Mapping[str, str], why: str) -> None:
    (told,) = of_ended_there(TREE, KNOWN, details(state=PullState.CLOSED, ended_by=who), people)
    assert isinstance(told, Say)
    assert why in told.text


def test_what_the_platform_closed_is_opened_again() -> None:
    assert of_ended_there(TREE, KNOWN, details(state=PullState.CLOSED, ended_by=BOT), PEOPLE) == ()


@pytest.mark.parametrize("on_main", [True, False])
@pytest.mark.parametrize("approved", [True, False])
def test_a_button_that_was_pressed_ends_it_and_tells_what_lacked(*, on_main: bool, approved: bool) -> None:
    tree = TREE.advance({BLUE: document(BLUE, DEPLOY_SPEC)}) if on_main else TREE
    verdict = Verdict.SUCCESS if approved else Verdict.PENDING
    found = details(state=PullState.MERGED, ended_by="eve", commit="e" * 40)
    found = replace(found, checks=(*found.checks, Check(APPROVALS_CHECK, verdict, "0 of 1")))
    *told, asked = of_ended_there(tree, KNOWN, found, PEOPLE)
    assert isinstance(asked, Ask)
    request = asked.request
    assert (request.asked_by, request.principal.is_worker) == ("eve on the forge", True)
    assert request.of_change is not None
    assert request.of_change.deed is (Deed.MERGE if on_main else Deed.CLOSE)
    if approved:
        assert told == []
    else:
        assert told == [
            SetCheck(
                "e" * 40,
                Check(
                    APPROVALS_CHECK,
                    Verdict.FAILURE,
                    "merged by eve on the forge without the approvals it needs: 0 of 1",
                ),
            )
        ]
    after, decision = decide(tree, request, known_of(KNOWN))
    assert not isinstance(decision, Refused)
    assert after == tree
    if on_main:
        assert isinstance(decision, Accepted)
        assert decision.merges is not None
        assert (dict(decision.files), decision.merges.merged_by) == ({}, "eve on the forge")


def test_a_worker_merges_nothing_that_is_not_on_main() -> None:
    (_, asked) = of_ended_there(
        TREE.advance({BLUE: document(BLUE, DEPLOY_SPEC)}),
        KNOWN,
        details(state=PullState.MERGED, ended_by="eve", commit="e" * 40),
        PEOPLE,
    )
    assert isinstance(asked, Ask)
    _, decision = decide(TREE, asked.request, known_of(KNOWN))
    assert isinstance(decision, Refused)
    assert [each.code for each in decision.problems] == ["approval-missing"]


def test_what_ended_here_ends_there_and_its_branch_goes() -> None:
    closed = replace(KNOWN.change, state=ChangeState.CLOSED, ended_by=ADMIN.user)
    merged = replace(KNOWN.change, state=ChangeState.MERGED, commit="e" * 40, ended_by=ADMIN.user)
    branch = branch_of(KNOWN.change.id)
    ended = PullState.CLOSED
    assert list(of_ended(closed, There(HEAD, pull=pull()))) == [ClosePull(7, f"{ADMIN.user} closed this change.")]
    assert list(of_ended(merged, There("e" * 40, pull=pull(head="e" * 40)))) == [MarkMerged(7, "e" * 40)]
    by_text = [ClosePull(7, f"This change is on main as {'e' * 40}.")]
    assert list(of_ended(merged, There(HEAD, pull=pull()))) == by_text
    assert list(of_ended(merged, There("e" * 40))) == [MoveBranch(branch, "e" * 40, None)]
    assert list(of_ended(closed, There(HEAD, pull=pull(ended)))) == [MoveBranch(branch, HEAD, None)]
    assert list(of_ended(closed, There("d" * 40, is_older=True))) == [MoveBranch(branch, "d" * 40, None)]
    assert list(of_ended(closed, There("d" * 40, is_known=False))) == [], "a person's commits are theirs"
    assert list(of_ended(closed, There(None))) == []
