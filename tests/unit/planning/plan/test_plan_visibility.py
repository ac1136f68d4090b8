"""Members of a tenant see their own part of a plan, and of others neither names nor use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intents.problems import Problem
from reconciler.planning.plan import OpenChange, to_json
from reconciler.planning.plan.quotas import Level
from reconciler.planning.plan.visibility import UNNAMED, narrowed, plan_for_tenant
from tests.fixtures.changes import CARD, CHURN, NOON, Situation, readable, situations
from tests.fixtures.examples import example_tree

SITUATIONS = situations()
OF_ACME = {
    name: each for name, each in SITUATIONS.items() if all(path.startswith("tenants/acme/") for path in each.files)
}
OTHERS = ("globex", "initech", "hooli", "churn", "pricing")


@pytest.mark.parametrize("situation", OF_ACME.values(), ids=OF_ACME)
def test_a_tenants_plan_names_nobody_else(situation: Situation) -> None:
    others = [OpenChange(name, readable(each.files)[0]) for name, each in SITUATIONS.items()]
    plan = plan_for_tenant(example_tree(), situation.head, situation.files, "acme", now=NOON, others=others)
    text = to_json(plan).decode()
    assert [name for name in OTHERS if name in text] == []
    assert Level.CLUSTER not in {each.level for each in plan.quotas}
    assert plan.intents == situation.plan().intents


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_what_is_left_of_any_plan_names_nobody_else(situation: Situation) -> None:
    plan = narrowed(replace(situation.plan(), others=()), "acme")
    assert [name for name in OTHERS if name in to_json(plan).decode()] == []


def test_other_changes_count_as_far_as_they_are_the_tenants() -> None:
    situation = SITUATIONS["over-quota"]
    mixed = {**readable(SITUATIONS["gpu-move"].files)[0], CHURN: None}
    others = [OpenChange("change/secret", mixed), OpenChange("change/globex", {CHURN: None})]
    plan = plan_for_tenant(example_tree(), situation.head, situation.files, "acme", now=NOON, others=others)
    assert [(each.name, each.intents) for each in plan.others] == [(UNNAMED, 1)]


def test_problems_do_not_tell_where_others_are() -> None:
    problems = (
        Problem(
            "duplicate-hostname", CARD, 1, 1, "also claimed", "choose another", across="in tenants/globex/tenant.yaml"
        ),
        Problem("duplicate-hostname", "tenants/globex/tenant.yaml", 1, 1, "also claimed"),
    )
    plan = narrowed(replace(SITUATIONS["new-run"].plan(), problems=problems), "acme")
    assert [(each.told, each.hint) for each in plan.problems] == [
        ("also claimed", "choose another"),
    ]


def test_a_path_outside_the_tenant_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="is not in tenant acme"):
        plan_for_tenant(example_tree(), example_tree(), [CHURN], "acme", now=NOON)
