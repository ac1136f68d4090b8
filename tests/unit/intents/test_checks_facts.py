"""What only the ledger knows: answered with facts, asked without them, never guessed."""

from __future__ import annotations

import pytest

from intents.checks import Facts, Question, check, not_checked
from intents.tree import Tree
from tests.fixtures.trees import (
    CHURN,
    DEPLOYMENT,
    FRAUD,
    PLATFORM,
    ROLLOUT,
    RUN,
    TRAINING_JOB,
    document,
    small_specs,
    small_tree,
    tree_of,
)

TREE = small_tree()
NEW = RUN.replace("first", "new")
LIMITS = {"deletedDeployments": {"atMost": "20%", "floor": 0}, "tenantsTouched": 1}


@pytest.mark.parametrize("path", [RUN, TRAINING_JOB])
def test_what_is_under_way_is_not_removed(path: str) -> None:
    head = TREE.advance({path: None})
    (problem,) = check(TREE, head, [path], Facts(active=frozenset({path})))
    assert (problem.code, problem.path) == ("active-run", path)
    assert "Cancelled" in problem.hint
    assert check(TREE, head, [path], Facts()) == ()
    assert check(TREE, head, [path]) == ()


def test_the_name_of_a_run_that_left_the_tree_stays_taken() -> None:
    head = TREE.advance({NEW: document(NEW, small_specs()[RUN])})
    gone = NEW.replace("2026-11-23", "2026-10-01")
    elsewhere = gone.replace("acme/projects/fraud", "globex/projects/churn")
    (problem,) = check(TREE, head, [NEW], Facts(retired=frozenset({gone})))
    assert (problem.code, problem.path) == ("run-name-used", NEW)
    assert gone in problem.message
    assert check(TREE, head, [NEW], Facts(retired=frozenset({elsewhere}))) == ()
    # The run itself may well be both in the tree and among those that the ledger has forgotten.
    assert check(head, head, None, Facts(retired=frozenset({NEW}))) == ()


def test_an_approvers_word_lifts_the_limits_of_a_change() -> None:
    base = TREE.advance({PLATFORM: document(PLATFORM, {**small_specs()[PLATFORM], "changeLimits": LIMITS})})
    head = base.advance({DEPLOYMENT: None, ROLLOUT: None})
    assert [each.code for each in check(base, head, [DEPLOYMENT, ROLLOUT], Facts())] == ["change-limit"]
    assert check(base, head, [DEPLOYMENT, ROLLOUT], Facts(approved=True)) == ()


def test_limits_are_those_from_before_the_change_and_leave_room_below_their_floor() -> None:
    limits = {**LIMITS, "deletedDeployments": {"atMost": "20%", "floor": 1}}
    strict = document(PLATFORM, {**small_specs()[PLATFORM], "changeLimits": LIMITS})
    base = TREE.advance({PLATFORM: document(PLATFORM, {**small_specs()[PLATFORM], "changeLimits": limits})})
    head = base.advance({DEPLOYMENT: None, ROLLOUT: None, PLATFORM: strict})
    assert check(base, head) == ()
    quota = {"cluster": "local", "quota": {"cpus": 9}}
    touched = {FRAUD: document(FRAUD, quota), CHURN: document(CHURN, quota), PLATFORM: TREE.get(PLATFORM)}
    (problem,) = check(base, base.advance(touched))
    assert problem.code == "change-limit"
    assert "2 tenants" in problem.message
    assert "acme, globex" in problem.across


def test_the_first_commit_has_no_limits() -> None:
    specs = {**small_specs(), PLATFORM: {**small_specs()[PLATFORM], "changeLimits": LIMITS}}
    assert check(Tree.empty(), tree_of(specs)) == ()


def test_what_was_not_checked_is_told_once() -> None:
    second = NEW.replace("new", "newer")
    runs = {path: document(path, small_specs()[RUN]) for path in (NEW, second)}
    head = TREE.advance({RUN: None, TRAINING_JOB: None, **runs})
    assert not_checked(TREE, head) == (Question.ACTIVE_RUN, Question.RUN_NAME)
    assert not_checked(TREE, head, [NEW, second]) == (Question.RUN_NAME,)
    assert not_checked(TREE, head, None, Facts()) == ()
    assert not_checked(TREE, TREE) == ()
