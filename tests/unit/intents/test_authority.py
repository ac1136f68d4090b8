from __future__ import annotations

import pytest

from intents.authority import Principal, forbidden, is_platform_admin, roles
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
    TRAIN,
    small_tree,
)

TREE = small_tree()
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
        (DEVELOPER, {RUN, DEPLOYMENT}),
        (VIEWER, set()),
        (TENANT_ADMIN, {RUN, DEPLOYMENT, FRAUD}),
        (PLATFORM_ADMIN, {PLATFORM, ACME, TRAIN, PACKAGE}),
        (PLATFORM_GROUP, {PLATFORM, ACME, TRAIN, PACKAGE}),
        (WORKER, {MODEL_1, ROLLOUT}),
        (Principal(""), set()),
    ],
)
def test_who_may_change_what(principal: Principal, allowed: set[str]) -> None:
    paths = {RUN, DEPLOYMENT, ROLLOUT, MODEL_1, FRAUD, CHURN, ACME, TRAIN, PACKAGE, PLATFORM}
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
