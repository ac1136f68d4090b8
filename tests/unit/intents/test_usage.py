from __future__ import annotations

from decimal import Decimal

from intents.kinds.resources import Resources
from intents.usage import ROUTERS, Amounts, peak, peaks, pods_of, total
from tests.fixtures.trees import DEPLOYMENT, ROLLOUT, V1, V2, document, small_specs, small_tree

GIB = 2**30


def test_amounts_are_exact() -> None:
    one = Amounts.of(Resources(cpus="500m", memory="1.5Gi", gpus={"nvidia-l4": 1}), 3)
    assert one == Amounts(Decimal("1.5"), Decimal(3 * 3 * GIB // 2), {"nvidia-l4": 3})
    assert total([one, one]) == Amounts(Decimal(3), Decimal(9 * GIB), {"nvidia-l4": 6})
    assert total([]) == Amounts()


def test_a_moving_deployment_uses_all_that_is_live_beside_all_that_is_asked() -> None:
    specs = small_specs()
    asked = {**specs[DEPLOYMENT], "versions": [V2]}
    live = {"of": "0" * 40, "live": [{**V1, "weight": 100}]}
    tree = small_tree().advance({DEPLOYMENT: document(DEPLOYMENT, asked), ROLLOUT: document(ROLLOUT, live)})
    # Two versions of up to three replicas with half a CPU and 1.5 GiB each.
    assert peaks(tree, "acme", "fraud") == {"scoring": Amounts(Decimal(3), Decimal(9 * GIB))}


def test_a_version_that_is_live_and_asked_counts_once_as_the_larger() -> None:
    larger = {**V1, "replicas": {"min": 1, "max": 4}}
    tree = small_tree().advance({DEPLOYMENT: document(DEPLOYMENT, {**small_specs()[DEPLOYMENT], "versions": [larger]})})
    assert peaks(tree, "acme", "fraud") == {"scoring": Amounts(Decimal(2), Decimal(6 * GIB))}
    assert peak(None, None) == Amounts()


def test_the_routers_of_a_graph_count_with_their_surge() -> None:
    """Up to three replicas a version, so up to three routers, and one more while they are replaced."""
    asked = {
        **small_specs()[DEPLOYMENT],
        "versions": [V1, V2],
        "traffic": {"ab": {"split": {"v1": 60, "v2": 40}, "splitter": "inferenceGraph"}},
    }
    tree = small_tree().advance({DEPLOYMENT: document(DEPLOYMENT, asked)})
    target, rollout = tree.deployment("acme", "fraud", "scoring"), tree.rollout("acme", "fraud", "scoring")
    assert target is not None
    assert rollout is not None
    assert [(each.name, each.copies) for each in pods_of(target.spec, rollout.spec)][-1] == (ROUTERS, 4)
    versions = Amounts(Decimal(3), Decimal(9 * GIB))
    assert peak(target.spec, rollout.spec) - versions == Amounts(Decimal("0.4"), Decimal(400 * 2**20))
    without = small_tree().deployments("acme", "fraud")["scoring"]
    assert ROUTERS not in {each.name for each in pods_of(without.spec, rollout.spec)}
