from __future__ import annotations

from decimal import Decimal
from typing import Any

from intents.kinds.platform import Prices
from intents.tree import Tree
from reconciler.planning.plan.cost import CostRange, cost
from reconciler.planning.plan.deployments import Standing, Touched
from tests.fixtures.trees import DEPLOYMENT, ROLLOUT, document, small_specs, small_tree, version_spec

PRICES = Prices(gpu_hour={"nvidia-l4": 0.8}, cpu_hour=0.04, memory_gib_hour=0.005, currency="CHF")
GONE = Standing(None, None)


def standing(*versions: dict[str, Any], traffic: dict[str, Any] | None = None, **rollout: Any) -> Standing:
    target = document(
        DEPLOYMENT,
        {**small_specs()[DEPLOYMENT], "versions": list(versions), "traffic": traffic or {"replace": {}}},
    )
    tree: Tree = small_tree().advance({DEPLOYMENT: target, ROLLOUT: None})
    if rollout:
        spec = {"of": target.blob, **rollout}
        tree = tree.advance({ROLLOUT: document(ROLLOUT, spec)})
    return Standing(tree.deployment("acme", "fraud", "scoring"), tree.rollout("acme", "fraud", "scoring"))


def touched(before: Standing, after: Standing) -> list[Touched]:
    return [Touched("acme", "fraud", "scoring", before, after)]


GPU = {"cpus": "500m", "memory": "1.5Gi", "gpus": {"nvidia-l4": 1}}
V1 = version_spec("v1", "fraud@1", "1", replicas={"min": 1, "max": 3})
V2 = version_spec("v2", "fraud@2", "2", replicas={"min": 2, "max": 2}, resources=GPU)


def test_a_month_costs_its_hours_of_every_replica() -> None:
    found = cost(touched(standing(V1), standing(V2)), PRICES, PRICES)
    assert found is not None
    # 0.5 × 0.04 + 1.5 × 0.005 = 0.0275 an hour; 0.8275 with a GPU; a month has 730.
    assert found.before == CostRange(Decimal("20.08"), Decimal("60.22"))
    assert found.after == CostRange(Decimal("1208.15"), Decimal("1208.15"))
    (each,) = found.deployments
    assert each.before_sum == "v1: 1–3 × (0.5 CPU × 0.04 + 1.5 GiB × 0.005) × 730 h"
    assert each.after_sum == "v2: 2 × (0.5 CPU × 0.04 + 1.5 GiB × 0.005 + 1 nvidia-l4 × 0.8) × 730 h"
    assert (found.currency_before, found.currency_after, found.unpriced) == ("CHF", "CHF", ())


def test_no_cost_is_too_large_to_be_rounded() -> None:
    huge = version_spec("v1", "fraud@1", "1", replicas={"min": 9999, "max": 9999}, resources={"cpus": "9E"})
    prices = Prices(gpu_hour={}, cpu_hour=1e6, memory_gib_hour=1e6, currency="CHF")
    found = cost(touched(GONE, standing(huge)), prices, prices)
    assert found is not None
    assert found.after.max > 10**30


def test_a_rollout_costs_what_it_ends_at() -> None:
    pair = {"stable": "v1", "candidate": "v2"}
    canary = {"canary": {**pair, "steps": [{"weight": 10}, {"weight": 100}]}}
    under_way = {"live": [{**V1, "weight": 90}, {**V2, "weight": 10}]}
    both = standing(V1, V2, traffic=canary, **under_way)
    found = cost(touched(both, standing(V2)), PRICES, PRICES)
    assert found is None, "the end of the canary is the candidate alone"
    held = standing(V1, V2, traffic=canary, **under_way, hold={"reason": "slow", "by": "ana"})
    stays = cost(touched(held, GONE), PRICES, PRICES)
    assert stays is not None
    assert stays.before == CostRange(Decimal("1228.22"), Decimal("1268.38"))


def test_nothing_is_said_where_nothing_costs_otherwise() -> None:
    assert cost(touched(standing(V1), standing(V1)), PRICES, PRICES) is None
    assert cost(touched(standing(V1), standing(V2)), None, None) is None
    assert cost([], PRICES, PRICES) is None


def test_gpus_without_a_price_are_told() -> None:
    cheaper = PRICES.model_copy(update={"gpu_hour": {}})
    found = cost(touched(standing(V1), standing(V2)), cheaper, cheaper)
    assert found is not None
    assert found.unpriced == ("nvidia-l4",)


def test_a_price_list_that_comes_counts_from_nothing() -> None:
    found = cost(touched(standing(V1), standing(V1)), None, PRICES)
    assert found is not None
    assert (found.currency_before, found.before) == (None, CostRange(Decimal("0.00"), Decimal("0.00")))
    assert found.after.max == Decimal("60.22")


def test_a_deployment_that_goes_costs_nothing() -> None:
    found = cost(touched(standing(V1), GONE), PRICES, PRICES)
    assert found is not None
    assert found.after == CostRange(Decimal("0.00"), Decimal("0.00"))
    assert found.deployments[0].after_sum == ""
