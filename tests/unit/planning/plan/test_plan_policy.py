"""The platform's rules, held against what a change brings and against what it leaves."""

from __future__ import annotations

from reconciler.planning.plan import ChangePlan, plan_change
from tests.fixtures.changes import ACME, NOON, PLATFORM, edited, readable, situations, written
from tests.fixtures.examples import example_tree

JOB = f"{ACME}/search/training/encoder-04.yaml"
SPEC = {"template": "finetune-encoder@1.0.0", "nodes": 2, "parameters": {"epochs": 8}}
STRICT = readable(situations()["policy"].files)[0]


def told(plan: ChangePlan) -> list[tuple[str, str, str]]:
    return [(each.name, each.rule, each.enforcement) for each in plan.policies]


def test_an_object_that_breaks_a_rule_is_told() -> None:
    base = example_tree().advance(STRICT)
    plan = plan_change(base, base.advance(readable(written(JOB, SPEC))[0]), [JOB], now=NOON)
    assert told(plan) == [("encoder-04-1", "imageAllowlist", "enforce")], "and not the one that stands already"
    assert plan.refused


def test_a_rule_that_changes_is_held_against_what_stands() -> None:
    plan = plan_change(example_tree(), example_tree().advance(STRICT), [PLATFORM], now=NOON)
    assert told(plan) == [("encoder-03-1", "imageAllowlist", "enforce")]


def test_what_is_only_audited_refuses_nothing() -> None:
    audited = edited(
        PLATFORM, ("imageAllowlist: enforce", "imageAllowlist: audit"), ("      - registry.example.com/ml/*\n", "")
    )
    base = example_tree().advance(readable(audited)[0])
    plan = plan_change(base, base.advance(readable(written(JOB, SPEC))[0]), [JOB], now=NOON)
    assert told(plan) == [("encoder-04-1", "imageAllowlist", "audit")]


def test_what_keeps_to_all_rules_is_not_told() -> None:
    plan = plan_change(example_tree(), example_tree().advance(readable(written(JOB, SPEC))[0]), [JOB], now=NOON)
    assert told(plan) == []
    assert plan.manifests[0].kind == "TrainJob"
