from __future__ import annotations

import pytest

from intents.authority import (
    Principal,
    approvals_needed,
    forbidden,
    is_platform_admin,
    may_not_approve,
    roles,
)
from intents.kinds.members import Role
from tests.fixtures.trees import (
    ACME,
    CHURN,
    DEPLOYMENT,
    FRAUD,
    MODEL_1,
    PLATFORM,
    ROLLOUT,
    RUN,
    SCHEDULE,
    TRAIN,
    TRAINING_JOB,
    document,
    small_specs,
    small_tree,
)

SPECS = small_specs()
APPROVES = {"user": "lea@acme.example", "roles": ["approver"]}
TREE = small_tree().advance(
    {
        ACME: document(ACME, {**SPECS[ACME], "members": [*SPECS[ACME]["members"], APPROVES]}),
        FRAUD: document(FRAUD, {**SPECS[FRAUD], "approvals": {"ModelDeployment": 2, "TrainingJob": 1}}),
    }
)
APPROVER = Principal("lea@acme.example")
DEVELOPER = Principal("dev@acme.example")
VIEWER = Principal("ana@acme.example")
TENANT_ADMIN = Principal("bob@acme.example", frozenset({"acme-leads"}))
PLATFORM_ADMIN = Principal("root@localhost")
PLATFORM_GROUP = Principal("eve@ops.example", frozenset({"platform"}))
WORKER = Principal("ordain-registry")
PACKAGE = TRAIN.replace("template.yaml", "pipeline.yaml")


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        (DEVELOPER, {RUN, SCHEDULE, TRAINING_JOB, DEPLOYMENT}),
        (VIEWER, set()),
        (APPROVER, set()),
        (TENANT_ADMIN, {RUN, SCHEDULE, TRAINING_JOB, DEPLOYMENT, FRAUD}),
        (PLATFORM_ADMIN, {PLATFORM, ACME, TRAIN, PACKAGE}),
        (PLATFORM_GROUP, {PLATFORM, ACME, TRAIN, PACKAGE}),
        (WORKER, {MODEL_1, ROLLOUT}),
        (Principal(""), set()),
    ],
)
def test_who_may_change_what(principal: Principal, allowed: set[str]) -> None:
    paths = {RUN, SCHEDULE, TRAINING_JOB, DEPLOYMENT, ROLLOUT, MODEL_1, FRAUD, CHURN, ACME, TRAIN, PACKAGE, PLATFORM}
    assert {path for path in paths if forbidden(TREE, principal, path) is None} == allowed


def test_roles_imply_lesser_ones_and_end_at_the_tenant() -> None:
    assert roles(TREE, "acme", DEVELOPER) == {Role.VIEWER, Role.DEVELOPER}
    assert roles(TREE, "acme", TENANT_ADMIN) == set(Role)
    assert roles(TREE, "globex", TENANT_ADMIN) == set()
    assert roles(TREE, "nobody", TENANT_ADMIN) == set()
    assert roles(TREE, "acme", PLATFORM_ADMIN) == set()
    assert is_platform_admin(TREE, PLATFORM_ADMIN)
    assert not is_platform_admin(TREE, TENANT_ADMIN)


def test_a_rollout_goes_with_its_deployment_on_a_persons_word() -> None:
    assert forbidden(TREE, DEVELOPER, ROLLOUT, {ROLLOUT, DEPLOYMENT}) is None
    assert forbidden(TREE, DEVELOPER, ROLLOUT, {ROLLOUT}) is not None
    assert forbidden(TREE, VIEWER, ROLLOUT, {ROLLOUT, DEPLOYMENT}) is not None


def test_a_refusal_says_whose_work_it_is() -> None:
    problem = forbidden(TREE, VIEWER, RUN)
    assert problem is not None
    assert problem.message == "ana@acme.example may not change this; members of acme with the role developer may"


def test_approvals_are_those_of_the_kind_that_asks_for_most() -> None:
    assert approvals_needed(TREE, [RUN, SCHEDULE, ROLLOUT, ACME, TRAIN, "README.md"]) == 0
    assert approvals_needed(TREE, [RUN, TRAINING_JOB]) == 1
    assert approvals_needed(TREE, [TRAINING_JOB, DEPLOYMENT]) == 2


@pytest.mark.parametrize(
    ("principal", "paths", "who"),
    [
        (APPROVER, {DEPLOYMENT, RUN}, None),
        (TENANT_ADMIN, {DEPLOYMENT}, None),
        (PLATFORM_ADMIN, {ACME, TRAIN, PACKAGE}, None),
        (DEVELOPER, {DEPLOYMENT}, "another person must"),
        (Principal(DEVELOPER.user.upper(), APPROVER.groups), {DEPLOYMENT}, "another person must"),
        (WORKER, {DEPLOYMENT}, "another person must"),
        (VIEWER, {DEPLOYMENT}, "members of acme with the role approver may"),
        (PLATFORM_ADMIN, {DEPLOYMENT}, "members of acme with the role approver may"),
        (APPROVER, {DEPLOYMENT, CHURN}, "members of globex with the role approver may"),
        (APPROVER, {DEPLOYMENT, ACME}, "platform admins may"),
    ],
)
def test_whose_yes_counts(principal: Principal, paths: set[str], who: str | None) -> None:
    """The author is the developer."""
    problem = may_not_approve(TREE, principal, DEVELOPER.user, paths)
    assert (problem is None) == (who is None)
    if problem is not None and who is not None:
        assert problem.code == "not-an-approver"
        assert who in problem.message


def test_a_new_tenant_comes_with_its_first_projects() -> None:
    path = "tenants/newcomer/projects/first/project.yaml"
    tree = small_tree()
    assert forbidden(tree, Principal("root@localhost"), path) is None
    problem = forbidden(tree, Principal("dev@acme.example"), path)
    assert problem is not None
    assert "platform admins" in problem.message
