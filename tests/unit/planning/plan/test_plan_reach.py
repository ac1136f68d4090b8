"""How far changes reach: units, tenants, limits, open changes, quotas and firings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from intents.tree import Tree
from reconciler.planning.plan import ChangePlan, OpenChange, plan_change
from reconciler.planning.plan.affected import affected_units
from reconciler.planning.plan.firings import Firings
from reconciler.planning.plan.quotas import Level
from reconciler.planning.plan.radius import BlastRadius, ChangeLimit
from renderers.rendering import render_cluster
from renderers.unit import Unit, UnitKind
from tests.fixtures.changes import NOON, situations
from tests.fixtures.examples import example_tree
from tests.fixtures.serving import SCORING
from tests.fixtures.trees import (
    ACME,
    CLUSTER,
    DDP,
    DEPLOYMENT,
    FRAUD,
    MODEL_1,
    PLATFORM,
    ROLLOUT,
    RUN,
    SCHEDULE,
    TRAINING_JOB,
    V1,
    V2,
    document,
    small_specs,
    small_tree,
)

LINEAR = Unit(UnitKind.TRAINING_JOB, "local", "acme", "fraud", "linear")
MINE = [Unit(UnitKind.TENANT, "local", "acme"), Unit(UnitKind.PROJECT, "local", "acme", "fraud"), SCORING, LINEAR]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (DEPLOYMENT, [SCORING]),
        (ROLLOUT, [SCORING]),
        (TRAINING_JOB, [LINEAR]),
        (DDP, [LINEAR]),
        (FRAUD, MINE),
        (ACME, MINE),
        (RUN, []),
        (SCHEDULE, []),
        (MODEL_1, []),
        ("templates/train/1.0.0/pipeline.yaml", []),
    ],
)
def test_a_change_reaches_the_units_that_follow_from_it(path: str, expected: list[Unit]) -> None:
    tree = small_tree()
    assert sorted(affected_units(tree, tree, [path])) == sorted(expected)
    gone = tree.advance({path: None}) if path in tree else tree
    assert set(expected) <= set(affected_units(tree, gone, [path])), "also those that go with it"


@pytest.mark.parametrize("path", [PLATFORM, CLUSTER])
def test_what_holds_for_all_reaches_all(path: str) -> None:
    tree = small_tree()
    assert {*MINE, Unit(UnitKind.CLUSTER, "local")} < set(affected_units(tree, tree, [path]))


def test_prices_and_limits_reach_no_unit_for_no_manifest_follows_from_them() -> None:
    prices = {"prices": {"cpuHour": 9}, "changeLimits": {"tenantsTouched": 9}}
    before = small_tree()
    after = before.advance({PLATFORM: document(PLATFORM, {**small_specs()[PLATFORM], **prices})})
    assert affected_units(before, after, [PLATFORM]) == []
    assert render_cluster(before, "local") == render_cluster(after, "local")
    other = before.advance({PLATFORM: document(PLATFORM, {**small_specs()[PLATFORM], **prices, "baseDomain": "x.org"})})
    assert affected_units(before, other, [PLATFORM]) != []


def plan(head: Tree, *paths: str, base: Tree | None = None, others: tuple[OpenChange, ...] = ()) -> ChangePlan:
    return plan_change(base or small_tree(), head, paths, now=NOON, others=others)


def deployed(*versions: dict[str, Any], path: str = DEPLOYMENT) -> Any:
    return document(path, {**small_specs()[DEPLOYMENT], "versions": list(versions)})


def test_the_reach_names_tenants_projects_and_clusters() -> None:
    found = plan(small_tree().advance({DEPLOYMENT: deployed(V2)}), DEPLOYMENT)
    assert found.radius == BlastRadius(("acme",), ("acme/fraud",), ("local",))
    assert plan(small_tree().advance({RUN: None}), RUN).radius == BlastRadius(("acme",), ("acme/fraud",), ())


def test_limits_are_those_of_the_platform_before_the_change() -> None:
    found = situations()["mass-deletion"].plan()
    assert found.limits == (
        ChangeLimit("deletedDeployments", 5, 2, 8, exceeded=True),
        ChangeLimit("tenantsTouched", 3, 2, None, exceeded=True),
    )
    assert plan(small_tree().advance({RUN: None}), RUN).limits == (), "the small tree sets none"


QUOTA = {"cluster": "local", "quota": {"cpus": 2, "memory": "10Gi"}}


def test_a_quota_that_is_lowered_is_told_with_what_is_used() -> None:
    lower = document(FRAUD, {**QUOTA, "quota": {"cpus": 1, "memory": "10Gi"}})
    base = small_tree().advance({FRAUD: document(FRAUD, QUOTA)})
    (each,) = plan(base.advance({FRAUD: lower}), FRAUD, base=base).quotas
    assert (each.level, each.name, each.resource) == (Level.PROJECT, "acme/fraud", "cpus")
    assert (each.before, each.after) == (Decimal("1.5"), Decimal("1.5"))
    assert (each.limit_before, each.limit_after, each.exceeded) == (Decimal(2), Decimal(1), True)


def test_gpus_that_a_quota_does_not_name_may_not_be_used() -> None:
    moved = deployed({**V1, "resources": {"gpus": {"nvidia-l4": 1}}})
    gpus = [
        each for each in plan(small_tree().advance({DEPLOYMENT: moved}), DEPLOYMENT).quotas if "gpus" in each.resource
    ]
    assert [(each.level, each.after, each.limit_after, each.exceeded) for each in gpus] == [
        (level, Decimal(3), Decimal(0), True) for level in Level
    ]


OTHER = "tenants/acme/projects/fraud/deployments/other.yaml"


def test_open_changes_are_added_up_and_conflicts_named() -> None:
    more = OpenChange("change/more", {OTHER: deployed(V1, path=OTHER)})
    same = OpenChange("change/same", {DEPLOYMENT: deployed({**V1, "replicas": {"min": 1, "max": 5}}), RUN: None})
    base = small_tree().advance({FRAUD: document(FRAUD, QUOTA)})
    head = base.advance({DEPLOYMENT: deployed({**V1, "replicas": {"min": 1, "max": 4}})})
    found = plan(head, DEPLOYMENT, base=base, others=(same, more))
    shown = [(each.name, each.intents, each.replicas, each.adds.get("cpus"), each.conflicts) for each in found.others]
    assert shown == [
        ("change/more", 1, 3, Decimal("1.5"), ()),
        ("change/same", 2, 2, Decimal(1), (DEPLOYMENT,)),
    ]
    cpus = next(each for each in found.quotas if each.resource == "cpus")
    assert (cpus.before, cpus.after, cpus.with_others) == (Decimal("1.5"), Decimal(2), Decimal("4.5"))
    assert (cpus.exceeded, cpus.exceeded_with_others) == (False, True)
    assert plan(head, DEPLOYMENT, base=base, others=(more, same)) == found


ZURICH = ZoneInfo("Europe/Zurich")


def scheduled(cron: str = "0 3 * * *", *, suspended: bool = False) -> Any:
    fields = {"cron": cron, "timeZone": "Europe/Zurich", "suspended": suspended}
    return document(SCHEDULE, {**small_specs()[SCHEDULE], **fields})


def test_firings_are_told_in_the_schedules_zone() -> None:
    (found,) = plan(small_tree().advance({SCHEDULE: scheduled("30 6 24-26 * *")}), SCHEDULE).schedules
    assert found.before is not None
    assert [each.hour for each in found.before.next] == [3, 3, 3]
    assert found.after == Firings(
        "train@1.0.0",
        suspended=False,
        next=tuple(datetime(2026, 11, day, 6, 30, tzinfo=ZURICH) for day in (24, 25, 26)),
    )


def test_a_schedule_that_is_suspended_or_never_due_does_not_fire() -> None:
    (found,) = plan(small_tree().advance({SCHEDULE: scheduled(suspended=True)}), SCHEDULE).schedules
    assert found.after == Firings("train@1.0.0", suspended=True, next=())
    (broken,) = plan(small_tree().advance({SCHEDULE: scheduled("99 3 * * *")}), SCHEDULE).schedules
    assert broken.after == Firings("train@1.0.0", suspended=False, next=())
    (gone,) = plan(small_tree().advance({SCHEDULE: None}), SCHEDULE).schedules
    assert gone.after is None


def test_a_unit_that_cannot_be_rendered_is_told_and_the_rest_is_planned() -> None:
    found = plan(small_tree().advance({PLATFORM: None, DEPLOYMENT: deployed(V2)}), PLATFORM, DEPLOYMENT)
    assert [each.unit for each in found.unrendered if "scoring" in each.unit] == ["deployment acme/fraud/scoring"]
    assert found.refused
    assert found.traffic[0].deployment == "scoring"


def test_a_plan_of_one_cluster_leaves_the_others_out() -> None:
    deletion = situations()["mass-deletion"]
    everywhere, burst = (
        plan_change(example_tree(), deletion.head, deletion.files, now=NOON, cluster=cluster)
        for cluster in (None, "burst")
    )
    assert burst.intents == everywhere.intents
    assert {each.deployment for each in burst.traffic} == {"basket", "quote"}
    assert {each.cluster for each in burst.manifests} == {each.cluster for each in burst.pods} == {"burst"}
    assert burst.manifests == tuple(each for each in everywhere.manifests if each.cluster == "burst")
    assert burst.radius.clusters == ("burst",)
    assert {each.name for each in burst.quotas if each.level is Level.CLUSTER} == {"burst"}


def test_prices_are_those_of_one_cluster_where_one_is_asked_for() -> None:
    change = situations()["price-change"]
    found = plan_change(example_tree(), change.head, change.files, now=NOON, cluster="burst")
    assert found.cost is not None
    assert found.cost.deployments == ()
