"""What becomes of changes, what they need and whose word counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intents.authority import Principal
from intents.kinds.members import Subject
from reconciler.planning.changes import (
    NEXT,
    Approval,
    Change,
    ChangeState,
    Deed,
    OfChange,
    approvals_required,
    change_id,
    may_not_end,
    not_approvable,
    not_possible,
    standing,
)
from reconciler.planning.naming import ALPHABET
from reconciler.planning.plan.digest import PlanDigest
from tests.fixtures.approvals import (
    ADMIN,
    APPROVER,
    BASE,
    BLUE,
    DEPLOY_SPEC,
    DEVELOPER,
    HEAD,
    LEAD,
    NOON,
    OTHER_DEVELOPER,
    VIEWER,
    WORKER,
    approved_specs,
    approved_tree,
    ask,
)
from tests.fixtures.trees import (
    ACME,
    DEPLOYMENT,
    FRAUD,
    MODEL_1,
    PLATFORM,
    ROLLOUT,
    RUN,
    SCHEDULE,
    TRAINING_JOB,
    document,
    small_specs,
)

TREE = approved_tree()
READ, OTHER = PlanDigest("d" * 64), PlanDigest("e" * 64)
CHANGE = Change(
    id=change_id(ask().id),
    tenant="acme",
    project="fraud",
    author=DEVELOPER,
    email="dev@acme.example",
    subject="Deploy blue",
    base=BASE,
    head=HEAD,
    paths=(BLUE,),
    opened_at=NOON,
    updated_at=NOON,
)


def test_a_change_ends_once() -> None:
    assert {state for (state, _), _ in NEXT.items()} == {ChangeState.OPEN}
    for state in ChangeState:
        for deed in Deed:
            problem = not_possible(replace(CHANGE, state=state), OfChange(CHANGE.id, deed))
            assert (problem is None) == (state is ChangeState.OPEN)
            assert problem is None or problem.code == "change-not-open"


def test_an_ended_change_says_what_became_of_it() -> None:
    merged = replace(CHANGE, state=ChangeState.MERGED, commit="f" * 40, ended_by="ann@acme.example")
    problem = not_possible(merged, OfChange(CHANGE.id, Deed.MERGE))
    assert problem is not None
    assert problem.message == f"change {CHANGE.id} is merged by ann@acme.example as commit {'f' * 40}"


@pytest.mark.parametrize(("head", "code"), [("", None), (HEAD, None), (BASE, "change-updated")])
def test_what_is_asked_of_a_change_is_asked_of_what_was_seen(head: str, code: str | None) -> None:
    problem = not_possible(CHANGE, OfChange(CHANGE.id, Deed.MERGE, head))
    assert (problem.code if problem else None) == code


def test_ids_can_be_read_aloud_and_differ() -> None:
    ids = {change_id(ask().id) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(each) == 10 and set(each) <= set(ALPHABET) for each in ids)


CANCELLED = {**small_specs()[TRAINING_JOB], "desired": "Cancelled"}
REQUIRED = [
    ("a run", RUN, small_specs()[RUN], DEVELOPER, 0),
    ("a schedule, which asks none here", SCHEDULE, small_specs()[SCHEDULE] | {"cron": "0 4 * * *"}, DEVELOPER, 0),
    ("a deployment", BLUE, DEPLOY_SPEC, DEVELOPER, 1),
    ("a deployment by someone who may approve those of others", BLUE, DEPLOY_SPEC, LEAD, 1),
    ("a deployment that stays as it is", DEPLOYMENT, small_specs()[DEPLOYMENT], DEVELOPER, 0),
    ("a training job", TRAINING_JOB, small_specs()[TRAINING_JOB] | {"attempt": 2}, DEVELOPER, 2),
    ("a training job that is cancelled", TRAINING_JOB, CANCELLED, DEVELOPER, 0),
    ("one that is cancelled and counted on", TRAINING_JOB, CANCELLED | {"attempt": 2}, DEVELOPER, 2),
    ("a new one, cancelled at once", TRAINING_JOB.replace("linear", "new"), CANCELLED, DEVELOPER, 2),
    ("a rollout step", ROLLOUT, small_specs()[ROLLOUT] | {"of": "1" * 40}, WORKER, 0),
    ("a model version", MODEL_1.replace("/1.", "/9."), small_specs()[MODEL_1], WORKER, 0),
    ("a project", FRAUD, small_specs()[FRAUD], LEAD, 0),
    ("the platform", PLATFORM, small_specs()[PLATFORM], ADMIN, 0),
    ("a deployment that goes, beyond the platform's limits", DEPLOYMENT, None, DEVELOPER, 1),
]


@pytest.mark.parametrize(
    ("path", "spec", "who", "required"), [row[1:] for row in REQUIRED], ids=[r[0] for r in REQUIRED]
)
def test_what_needs_whose_word(path: str, spec: dict[str, object] | None, who: Principal, required: int) -> None:
    after = TREE.advance({path: None if spec is None else document(path, spec)})
    assert approvals_required(TREE, after, [path], who) == required


def test_a_change_limit_needs_one_word_where_nothing_else_does() -> None:
    specs = approved_specs()
    tree = approved_tree(FRAUD=specs[FRAUD] | {"approvals": {}})
    assert approvals_required(tree, tree.advance({DEPLOYMENT: None}), [DEPLOYMENT], DEVELOPER) == 1


def test_what_a_project_asks_counts_as_it_was_before_the_change() -> None:
    specs = approved_specs()
    lenient = document(FRAUD, specs[FRAUD] | {"approvals": {}})
    after = TREE.advance({FRAUD: lenient, BLUE: document(BLUE, DEPLOY_SPEC)})
    assert approvals_required(TREE, after, [FRAUD, BLUE], LEAD) == 1


def given(who: Principal, digest: PlanDigest = READ, head: str = HEAD) -> Approval:
    return Approval(CHANGE.id, who, digest, head, NOON)


FALLS = [
    (given(APPROVER), ""),
    (given(LEAD), ""),
    (given(APPROVER, OTHER), "main moved and the plan is another now"),
    (given(APPROVER, OTHER, BASE), "the change was updated"),
    (given(APPROVER, READ, BASE), ""),
    (given(DEVELOPER), "dev@acme.example cannot approve this: another person must"),
    (given(VIEWER), "ana@acme.example may not approve this; members of acme with the role approver may"),
    (given(WORKER), "ordain-rollout-controller cannot approve this: another person must"),
]


@pytest.mark.parametrize(("approval", "fallen"), FALLS)
def test_whose_word_counts_for_what(approval: Approval, fallen: str) -> None:
    found = standing(TREE, CHANGE, 1, READ, [approval])
    assert [each.fallen for each in found.approvals] == [fallen]
    assert found.missing == (1 if fallen else 0)


def test_one_person_is_one_word() -> None:
    assert standing(TREE, CHANGE, 2, READ, [given(APPROVER), given(APPROVER)]).missing == 1
    assert standing(TREE, CHANGE, 2, READ, [given(APPROVER), given(LEAD)]).missing == 0
    assert standing(TREE, CHANGE, 0, READ, []).missing == 0


def test_a_person_is_the_same_in_any_case() -> None:
    """A directory takes a name as it is typed, and gives the same groups with it."""
    typed = Principal(LEAD.user.title(), LEAD.groups)
    assert standing(TREE, CHANGE, 2, READ, [given(LEAD), given(typed)]).missing == 1
    assert standing(TREE, replace(CHANGE, author=LEAD), 1, READ, [given(typed)]).missing == 1
    mine = replace(CHANGE, author=Principal(APPROVER.user.upper()))
    assert standing(TREE, mine, 1, READ, []).who == (Subject(group="acme-leads"),)


def test_it_is_said_whom_to_ask() -> None:
    assert standing(TREE, CHANGE, 1, READ, []).who == (Subject(group="acme-leads"), Subject(user=APPROVER.user))
    mine = replace(CHANGE, author=APPROVER)
    assert standing(TREE, mine, 1, READ, []).who == (Subject(group="acme-leads"),)
    platforms = replace(CHANGE, paths=(ACME,))
    assert standing(TREE, platforms, 1, READ, []).who == (Subject(user=ADMIN.user), Subject(group="platform"))
    assert standing(TREE, replace(CHANGE, paths=(ACME, BLUE)), 1, READ, []).who == ()


@pytest.mark.parametrize(
    ("change", "who", "read", "code"),
    [
        (CHANGE, APPROVER, READ, None),
        (CHANGE, LEAD, READ, None),
        (CHANGE, APPROVER, OTHER, "plan-changed"),
        (CHANGE, DEVELOPER, READ, "not-an-approver"),
        (CHANGE, VIEWER, READ, "not-an-approver"),
        (replace(CHANGE, author=LEAD), LEAD, READ, "not-an-approver"),
        (replace(CHANGE, state=ChangeState.CLOSED), APPROVER, READ, "change-not-open"),
    ],
)
def test_who_can_approve_what_they_read(change: Change, who: Principal, read: PlanDigest, code: str | None) -> None:
    problem = not_approvable(TREE, change, who, read, READ)
    assert (problem.code if problem else None) == code


@pytest.mark.parametrize(
    ("who", "allowed"),
    [(DEVELOPER, True), (OTHER_DEVELOPER, True), (APPROVER, True), (LEAD, True), (VIEWER, False), (ADMIN, False)],
)
def test_who_may_merge_and_close(who: Principal, allowed: bool) -> None:
    problem = may_not_end(TREE, who, CHANGE)
    assert (problem is None) == allowed
    assert problem is None or problem.code == "forbidden"
