"""What becomes of requests where others approve: opened, updated, merged, closed, refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intents.authority import Principal
from intents.tree import Tree
from reconciler.planning.changes import ChangeState, Deed, OfChange, change_id
from reconciler.planning.proposing import (
    MOST_OPEN,
    Known,
    KnownChange,
    bounded,
    decide,
    in_one_turn,
    net_writes,
    opening,
    preview,
    with_net_writes,
)
from reconciler.planning.writing import ABSENT, ANY, Accepted, Closed, Decision, Merging, Proposed, Refused
from tests.fixtures.approvals import (
    ADMIN,
    APPROVER,
    BLUE,
    DEPLOY_SPEC,
    DEVELOPER,
    HEAD,
    LEAD,
    NOON,
    OTHER_ADMIN,
    OTHER_DEVELOPER,
    SECOND_SPEC,
    VIEWER,
    WORKER,
    approve,
    approved_specs,
    approved_tree,
    ask,
    blob,
    body,
    known_of,
    merge,
    opened,
    put,
    remove,
    unknown,
)
from tests.fixtures.trees import (
    ACME,
    CLUSTER,
    DEPLOYMENT,
    FRAUD,
    GLOBEX,
    PLATFORM,
    ROLLOUT,
    RUN,
    SCHEDULE,
    document,
    small_specs,
)

TREE = approved_tree()
GREEN = BLUE.replace("blue", "green")


def codes(decision: Decision) -> list[str]:
    assert isinstance(decision, Refused), decision
    return [problem.code for problem in decision.problems]


def outcome(tree: Tree, known: KnownChange, who: Principal = DEVELOPER) -> Decision:
    return decide(tree, merge(known, who), known_of(known))[1]


def test_what_needs_nobody_is_a_commit() -> None:
    request = ask(put(RUN.replace("first", "second"), small_specs()[RUN]))
    after, decision = decide(TREE, request, Known())
    assert isinstance(decision, Accepted)
    assert decision.merges is None
    assert RUN.replace("first", "second") in after


def test_what_needs_another_opens_a_change_and_leaves_main_alone() -> None:
    request = ask(put(BLUE, DEPLOY_SPEC, ABSENT))
    after, decision = decide(TREE, request, Known())
    assert after is TREE
    assert decision == Proposed(request, change_id(request.id), {BLUE: body(BLUE, DEPLOY_SPEC)}, 1)


def test_what_is_wrong_opens_nothing() -> None:
    wrong = {**DEPLOY_SPEC, "versions": [{**DEPLOY_SPEC["versions"][0], "model": "nobody@1"}]}
    assert "unknown-model-version" in codes(decide(TREE, ask(put(BLUE, wrong)), Known())[1])
    assert codes(decide(TREE, ask(put(BLUE, DEPLOY_SPEC), principal=VIEWER), Known())[1]) == ["forbidden"]
    assert codes(decide(TREE, ask(put(BLUE, DEPLOY_SPEC, "1" * 40)), Known())[1]) == ["conflict"]


def test_what_is_beyond_the_change_limits_waits_for_a_word() -> None:
    tree = approved_tree(FRAUD=approved_specs()[FRAUD] | {"approvals": {}})
    decision = decide(tree, ask(remove(DEPLOYMENT), remove(ROLLOUT)), Known())[1]
    assert isinstance(decision, Proposed)
    assert decision.required == 1
    with_a_mistake = ask(remove(DEPLOYMENT), remove(ROLLOUT), put(RUN, {"template": "nobody@1.0.0"}))
    assert "unknown-template" in codes(decide(tree, with_a_mistake, Known())[1])


def test_the_platforms_own_principals_have_nobody_to_ask() -> None:
    tree = approved_tree(FRAUD=approved_specs()[FRAUD] | {"approvals": {}})
    assert set(codes(decide(tree, ask(remove(DEPLOYMENT), principal=WORKER), Known())[1])) <= {
        "forbidden",
        "change-limit",
    }
    step = put(ROLLOUT, {**small_specs()[ROLLOUT], "of": blob(TREE, DEPLOYMENT)})
    assert isinstance(decide(TREE, ask(step, principal=WORKER), Known())[1], Accepted)


def test_open_changes_are_bounded_within_one_batch_too() -> None:
    updated = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
    update = ask(put(BLUE, SECOND_SPEC), of=OfChange(updated.change.id, Deed.UPDATE))
    requests = (ask(put(BLUE, DEPLOY_SPEC)), ask(put(RUN, small_specs()[RUN])), ask(put(GREEN, DEPLOY_SPEC)), update)
    decisions = [decide(TREE, each, known_of(updated))[1] for each in requests]
    assert opening(decisions) == {"acme"}
    assert opening(decisions[1:2]) == opening(decisions[3:]) == frozenset()
    first, run, second, updating = bounded(decisions, {"acme": MOST_OPEN - 1, "globex": MOST_OPEN})
    assert (first, run, updating) == (decisions[0], decisions[1], decisions[3]), "what is open can be updated"
    assert codes(second) == ["too-many-changes"]


def test_what_is_about_a_change_is_decided_alone() -> None:
    plain, about = [ask(put(BLUE, DEPLOY_SPEC)) for _ in range(3)], ask(of=unknown(Deed.MERGE))
    assert in_one_turn(plain) == plain
    assert in_one_turn([*plain, about, *plain]) == plain
    assert in_one_turn([about, about, *plain]) == [about]
    assert in_one_turn([]) == []


@pytest.mark.parametrize("deed", Deed)
def test_of_an_unknown_change_nothing_is_done(deed: Deed) -> None:
    assert codes(decide(TREE, ask(of=unknown(deed)), Known())[1]) == ["change-not-open"]


@pytest.mark.parametrize("deed", Deed)
def test_another_tenants_change_is_not_there(deed: Deed) -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
    request = ask(tenant="globex", of=OfChange(known.change.id, deed))
    assert codes(decide(TREE, request, known_of(known))[1]) == ["change-not-open"]


@pytest.mark.parametrize("deed", Deed)
def test_of_an_ended_change_nothing_is_done(deed: Deed) -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
    closed = replace(known, change=replace(known.change, state=ChangeState.CLOSED))
    request = ask(of=OfChange(known.change.id, deed))
    assert codes(decide(TREE, request, known_of(closed))[1]) == ["change-not-open"]


def test_an_approved_change_is_merged_as_its_authors_commit() -> None:
    known = approve(TREE, opened(TREE, ask(put(BLUE, DEPLOY_SPEC))), APPROVER)
    request = merge(known, APPROVER)
    after, decision = decide(TREE, request, known_of(known))
    assert isinstance(decision, Accepted)
    assert decision.merges == Merging(known.change.id, HEAD, (APPROVER.user,), APPROVER.user)
    assert decision.request.id == request.id
    assert (decision.request.principal, decision.request.subject) == (DEVELOPER, "Deploy blue")
    assert decision.files == {BLUE: body(BLUE, DEPLOY_SPEC)}
    assert BLUE in after


def test_a_change_is_not_merged_on_its_authors_word() -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC), principal=LEAD))
    decision = outcome(TREE, approve(TREE, known, LEAD), LEAD)
    assert codes(decision) == ["approval-missing"]
    assert isinstance(decision, Refused)
    (problem,) = decision.problems
    assert "1 approval is missing" in problem.message
    assert "another person must" in problem.message
    assert problem.hint == "ask group acme-leads, ann@acme.example"


def test_two_approvals_are_two_people() -> None:
    specs = approved_specs()
    tree = approved_tree(FRAUD=specs[FRAUD] | {"approvals": {"ModelDeployment": 2}})
    known = opened(tree, ask(put(BLUE, DEPLOY_SPEC)))
    assert codes(outcome(tree, approve(tree, known, APPROVER))) == ["approval-missing"]
    assert isinstance(outcome(tree, approve(tree, known, APPROVER, LEAD)), Accepted)


def test_who_may_neither_write_nor_approve_merges_nothing() -> None:
    known = approve(TREE, opened(TREE, ask(put(BLUE, DEPLOY_SPEC))), APPROVER)
    assert codes(outcome(TREE, known, VIEWER)) == ["forbidden"]
    close = ask(principal=VIEWER, of=OfChange(known.change.id, Deed.CLOSE))
    assert codes(decide(TREE, close, known_of(known))[1]) == ["forbidden"]


def test_a_merge_asked_for_an_older_version_is_refused() -> None:
    known = approve(TREE, opened(TREE, ask(put(BLUE, DEPLOY_SPEC))), APPROVER)
    assert codes(decide(TREE, merge(known, head="9" * 40), known_of(known))[1]) == ["change-updated"]


def test_an_author_who_lost_the_role_merges_nothing() -> None:
    known = approve(TREE, opened(TREE, ask(put(BLUE, DEPLOY_SPEC))), APPROVER)
    specs = approved_specs()
    members = [each for each in specs[ACME]["members"] if each.get("user") != DEVELOPER.user]
    without = TREE.advance({ACME: document(ACME, specs[ACME] | {"members": members})})
    assert codes(outcome(without, known, APPROVER)) == ["forbidden"]


def test_an_approver_who_lost_the_role_does_not_count() -> None:
    known = approve(TREE, opened(TREE, ask(put(BLUE, DEPLOY_SPEC))), APPROVER)
    specs = approved_specs()
    members = [each for each in specs[ACME]["members"] if each.get("user") != APPROVER.user]
    without = TREE.advance({ACME: document(ACME, specs[ACME] | {"members": members})})
    assert codes(outcome(without, known)) == ["approval-missing"]


def test_an_approval_falls_when_the_plan_is_another_at_the_newest_main() -> None:
    change = opened(TREE, ask(put(DEPLOYMENT, SECOND_SPEC, blob(TREE, DEPLOYMENT))))
    known = approve(TREE, change, APPROVER)
    stepped = TREE.advance({ROLLOUT: document(ROLLOUT, {**small_specs()[ROLLOUT], "step": 3})})
    moved = TREE.advance({ROLLOUT: None})
    assert isinstance(outcome(stepped, known), Accepted), "the plan is the same"
    decision = outcome(moved, known)
    assert codes(decision) == ["approval-missing"]
    assert isinstance(decision, Refused)
    assert f"that of {APPROVER.user} fell: main moved and the plan is another now" in decision.problems[0].message
    assert isinstance(outcome(moved, approve(moved, change, LEAD)), Accepted)


def test_an_approval_stays_when_main_moved_elsewhere() -> None:
    known = approve(TREE, opened(TREE, ask(put(BLUE, DEPLOY_SPEC))), APPROVER)
    specs = approved_specs()
    elsewhere = {
        GREEN: document(GREEN, DEPLOY_SPEC),
        SCHEDULE: document(SCHEDULE, specs[SCHEDULE] | {"cron": "0 5 * * *"}),
        RUN: None,
    }
    moved = TREE.advance(elsewhere)
    assert isinstance(outcome(moved, known), Accepted)
    shown = preview(moved, known, now=NOON)
    assert shown.standing.missing == 0


def test_an_update_lets_approvals_fall_even_where_only_a_comment_differs() -> None:
    known = approve(TREE, opened(TREE, ask(put(BLUE, DEPLOY_SPEC))), APPROVER)
    text = body(BLUE, DEPLOY_SPEC)
    write = replace(put(BLUE, DEPLOY_SPEC), content=b"# for the audit\n" + text)
    update = ask(write, of=OfChange(known.change.id, Deed.UPDATE))
    updated = replace(opened(TREE, update, known_of(known)), approvals=known.approvals)
    assert codes(outcome(TREE, updated)) == ["approval-missing"]


def test_only_the_author_updates() -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
    update = ask(put(BLUE, SECOND_SPEC), principal=OTHER_DEVELOPER, of=OfChange(known.change.id, Deed.UPDATE))
    assert codes(decide(TREE, update, known_of(known))[1]) == ["forbidden"]


def test_an_update_holds_what_it_leaves_alone() -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
    update = ask(put(GREEN, DEPLOY_SPEC), of=OfChange(known.change.id, Deed.UPDATE))
    _, decision = decide(TREE, update, known_of(known))
    assert isinstance(decision, Proposed)
    assert decision.files == {BLUE: body(BLUE, DEPLOY_SPEC), GREEN: body(GREEN, DEPLOY_SPEC)}
    assert decision.before == known.change


def test_an_update_can_take_a_path_out_of_a_change_but_not_the_last() -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC), put(GREEN, DEPLOY_SPEC)))
    update = ask(remove(GREEN, ABSENT), of=OfChange(known.change.id, Deed.UPDATE))
    smaller = opened(TREE, update, known_of(known))
    assert smaller.change.paths == (BLUE,)
    last = ask(remove(BLUE, ABSENT), of=OfChange(known.change.id, Deed.UPDATE))
    assert codes(decide(TREE, last, known_of(smaller))[1]) == ["empty-change"]
    gone = opened(TREE, ask(remove(DEPLOYMENT), remove(ROLLOUT)))
    main = TREE.advance({DEPLOYMENT: None, ROLLOUT: None})
    assert codes(outcome(main, gone)) == ["conflict"], "what others removed meanwhile is told"


def test_a_change_of_what_main_changed_meanwhile_is_a_conflict() -> None:
    known = approve(TREE, opened(TREE, ask(put(DEPLOYMENT, SECOND_SPEC))), APPROVER)
    theirs = {**small_specs()[DEPLOYMENT], "endpoint": {"timeout": "9s"}}
    moved = TREE.advance({DEPLOYMENT: document(DEPLOYMENT, theirs)})
    decision = outcome(moved, known)
    assert codes(decision) == ["conflict"]
    assert isinstance(decision, Refused)
    assert decision.conflict
    assert decision.request.writes[0].content == body(DEPLOYMENT, SECOND_SPEC), "both versions can be told"
    assert preview(moved, known, now=NOON).conflicts == decision.problems


CONFLICT_UPDATES = [
    ("as the author last saw it on the change", "mine", ["conflict"]),
    ("as it stands on main", "theirs", None),
    ("whatever stands there", ANY, None),
    ("as it was long ago", "1" * 40, ["conflict"]),
]


@pytest.mark.parametrize(
    ("expects", "refused"), [each[1:] for each in CONFLICT_UPDATES], ids=[e[0] for e in CONFLICT_UPDATES]
)
def test_a_conflict_is_settled_by_an_update_that_knows_main(expects: str, refused: list[str] | None) -> None:
    known = opened(TREE, ask(put(DEPLOYMENT, SECOND_SPEC)))
    theirs = document(DEPLOYMENT, {**small_specs()[DEPLOYMENT], "endpoint": {"timeout": "9s"}})
    moved = TREE.advance({DEPLOYMENT: theirs})
    seen = {"mine": known.blobs[DEPLOYMENT] or "", "theirs": theirs.blob}.get(expects, expects)
    both = {**SECOND_SPEC, "endpoint": {"timeout": "9s"}}
    update = ask(put(DEPLOYMENT, both, seen), of=OfChange(known.change.id, Deed.UPDATE))
    _, decision = decide(moved, update, known_of(known))
    if refused is None:
        assert isinstance(decision, Proposed)
    else:
        assert codes(decision) == refused


def test_an_edit_of_the_own_version_stands_on_the_own_base() -> None:
    known = opened(TREE, ask(put(DEPLOYMENT, SECOND_SPEC)))
    edit = put(DEPLOYMENT, {**SECOND_SPEC, "endpoint": {"timeout": "9s"}}, known.blobs[DEPLOYMENT] or "")
    (write,) = net_writes(TREE, known, [edit])
    assert write.expects == blob(TREE, DEPLOYMENT)


def test_a_deployment_goes_with_the_rollout_that_stands_there_by_then() -> None:
    known = approve(TREE, opened(TREE, ask(remove(DEPLOYMENT), remove(ROLLOUT, blob(TREE, ROLLOUT)))), APPROVER)
    rollout = document(ROLLOUT, {**small_specs()[ROLLOUT], "step": 1})
    assert isinstance(outcome(TREE.advance({ROLLOUT: rollout}), known), Accepted)
    gone = TREE.advance({ROLLOUT: None})
    decision = outcome(gone, approve(gone, known, LEAD))
    assert isinstance(decision, Accepted)
    assert decision.files == {DEPLOYMENT: None}
    without = opened(gone, ask(remove(DEPLOYMENT)))
    decision = outcome(TREE, approve(TREE, without, APPROVER))
    assert isinstance(decision, Accepted)
    assert decision.files == {DEPLOYMENT: None, ROLLOUT: None}


def test_closing_ends_a_change() -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
    for who in (DEVELOPER, OTHER_DEVELOPER, APPROVER):
        request = ask(principal=who, of=OfChange(known.change.id, Deed.CLOSE))
        assert decide(TREE, request, known_of(known)) == (TREE, Closed(request, known.change))


def test_the_platforms_changes_are_approved_by_its_admins() -> None:
    specs = approved_specs()
    tree = approved_tree(PLATFORM=specs[PLATFORM] | {"changeLimits": {"tenantsTouched": 1}})
    writes = [put(path, specs[path] | {"displayName": "New"}) for path in (ACME, GLOBEX)]
    known = opened(tree, ask(*writes, principal=ADMIN, tenant="platform"))
    assert codes(outcome(tree, approve(tree, known, LEAD), ADMIN)) == ["approval-missing"]
    decision = outcome(tree, approve(tree, known, OTHER_ADMIN), ADMIN)
    assert isinstance(decision, Accepted)
    shown = preview(tree, known, now=NOON)
    assert shown.plan.radius.tenants == ("acme", "globex")


def test_a_tenants_preview_shows_nothing_of_others() -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC)))
    shown = preview(TREE, known, now=NOON)
    assert shown.plan.radius.tenants == ("acme",)
    assert not [each for each in shown.plan.quotas if each.level == "cluster"]
    assert [each.path for each in shown.plan.intents] == [BLUE]
    assert shown.standing.missing == 1
    assert not shown.plan.problems


def test_the_ledger_is_asked_about_all_that_a_change_does() -> None:
    known = opened(TREE, ask(put(BLUE, DEPLOY_SPEC), put(RUN.replace("first", "second"), small_specs()[RUN])))
    whole = with_net_writes(TREE, merge(known), known_of(known))
    assert {each.path for each in whole.writes} == {BLUE, RUN.replace("first", "second")}
    close = ask(of=OfChange(known.change.id, Deed.CLOSE))
    assert with_net_writes(TREE, close, known_of(known)) is close
    plain = ask(put(CLUSTER, small_specs()[CLUSTER]))
    assert with_net_writes(TREE, plain, Known()) is plain
