"""What an approval is bound to: all that a change does, and nothing of what goes on around it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from intents.writing import blob_id
from reconciler.planning.plan import plan_change
from reconciler.planning.plan.digest import PlanDigest, plan_digest
from tests.fixtures.changes import NIGHTLY, NOON, Situation, readable, situations
from tests.fixtures.examples import example_tree

SITUATIONS = situations()


def blobs(situation: Situation) -> dict[str, str | None]:
    return {path: None if body is None else blob_id(body) for path, body in situation.files.items()}


def digest(situation: Situation) -> PlanDigest:
    return plan_digest(situation.plan(), blobs(situation))


def test_different_changes_have_different_digests() -> None:
    found = {digest(each) for name, each in SITUATIONS.items() if name != "open-changes"}
    assert len(found) == len(SITUATIONS) - 1
    assert all(len(each) == 64 for each in found)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_order_of_files_is_nothing(name: str) -> None:
    situation = SITUATIONS[name]
    turned = Situation(dict(reversed(list(situation.files.items()))), situation.others)
    assert digest(turned) == digest(situation)


def test_other_open_changes_are_nothing() -> None:
    assert SITUATIONS["open-changes"].plan() != SITUATIONS["over-quota"].plan()
    assert digest(SITUATIONS["open-changes"]) == digest(SITUATIONS["over-quota"])


def test_the_hour_is_nothing() -> None:
    situation = SITUATIONS["schedule-change"]
    plans = [
        plan_change(example_tree(), situation.head, situation.files, now=NOON + timedelta(days=days))
        for days in (0, 40)
    ]
    assert plans[0].schedules != plans[1].schedules
    assert len({plan_digest(each, blobs(situation)) for each in plans}) == 1


def test_what_others_use_of_a_quota_is_nothing() -> None:
    situation = SITUATIONS["replace-bump"]
    elsewhere = example_tree().advance(readable(SITUATIONS["gpu-move"].files)[0])
    documents = readable(situation.files)[0]
    found = {
        plan_digest(plan_change(base, base.advance(documents), documents, now=NOON), blobs(situation))
        for base in (example_tree(), elsewhere)
    }
    assert len(found) == 1


@pytest.mark.parametrize("name", ["schedule-change", "only-form"])
def test_the_bytes_count(name: str) -> None:
    situation = SITUATIONS[name]
    commented = {path: body and b"# by hand\n" + body for path, body in situation.files.items()}
    assert digest(Situation(commented)) != digest(situation)


def test_what_goes_is_not_what_is_empty() -> None:
    plan = SITUATIONS["deployment-deleted"].plan()
    assert plan_digest(plan, {NIGHTLY: None}) != plan_digest(plan, {NIGHTLY: ""})
