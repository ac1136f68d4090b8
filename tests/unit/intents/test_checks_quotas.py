"""The arithmetic of quotas, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intents.checks import check
from intents.problems import Problem, Severity
from intents.tree import Tree
from tests.fixtures.trees import (
    ACME,
    CLUSTER,
    DEPLOYMENT,
    FRAUD,
    ROLLOUT,
    V1,
    V2,
    document,
    small_specs,
    small_tree,
)

SPECS = small_specs()
OTHER = DEPLOYMENT.replace("scoring", "other")
SEARCH = FRAUD.replace("fraud", "search")
REPLACE = SPECS[DEPLOYMENT]


def advanced(tree: Tree, changes: Mapping[str, Mapping[str, Any] | None]) -> Tree:
    return tree.advance({path: None if spec is None else document(path, spec) for path, spec in changes.items()})


def quota(path: str, **amounts: Any) -> dict[str, Any]:
    return {**SPECS[path], "quota": amounts}


def deployed(*versions: Mapping[str, Any]) -> dict[str, Any]:
    return {**REPLACE, "versions": list(versions)}


def problems(base: Tree, changes: Mapping[str, Mapping[str, Any] | None]) -> tuple[Problem, ...]:
    head = advanced(base, changes)
    found = check(base, head, changes.keys())
    assert set(found) == set(check(base, head))
    return found


def test_the_arithmetic_is_spelled_out() -> None:
    base = advanced(small_tree(), {FRAUD: quota(FRAUD, cpus=4)})
    larger = {**V2, "replicas": {"min": 1, "max": 6}}
    (problem,) = problems(base, {DEPLOYMENT: deployed(larger), OTHER: deployed({**V1, "replicas": {"max": 1}})})
    assert problem.message == (
        "deployments could use 5 CPUs, 1 more than the 4 of project fraud: scoring 4.5 + other 0.5; "
        "scoring is v1 3 x 0.5 + v2 6 x 0.5"
    )
    assert (problem.path, problem.field, problem.line) == (DEPLOYMENT, "spec.versions", 6)


def test_memory_is_said_in_the_unit_people_use() -> None:
    (problem,) = problems(small_tree(), {FRAUD: quota(FRAUD, memory="3Gi")})
    assert "4608Mi of memory, 1536Mi more than the 3Gi of project fraud: scoring 4608Mi" in problem.message


def test_no_sum_is_too_large_to_be_said() -> None:
    """The largest quantity that Kubernetes holds is 2^63 - 1."""
    huge = {**V1, "replicas": {"max": 9999}, "resources": {"memory": "7Ei"}}
    (problem,) = problems(advanced(small_tree(), {FRAUD: quota(FRAUD, memory="1k")}), {DEPLOYMENT: deployed(huge)})
    assert "69993Ei of memory, " in problem.message
    assert "more than the 1000 of project fraud: scoring 69993Ei" in problem.message


def test_a_tenants_sum_goes_over_its_projects_and_a_clusters_over_its_tenants() -> None:
    more = {SEARCH: {"cluster": "local"}, DEPLOYMENT.replace("fraud", "search", 1): None}
    base = advanced(small_tree(), {SEARCH: {"cluster": "local"}, ACME: quota(ACME, cpus=2)})
    model = "tenants/acme/projects/search/models/fraud/1.yaml"
    path = DEPLOYMENT.replace("projects/fraud", "projects/search")
    change = {model: SPECS["tenants/acme/projects/fraud/models/fraud/1.yaml"], path: deployed(V1)}
    (problem,) = problems(base, change)
    assert problem.path == path
    assert problem.message.startswith("deployments could use 3 CPUs, 1 more than the 2 of tenant acme: ")
    assert "fraud 1.5 + search 1.5" in problem.message
    base = advanced(small_tree(), {SEARCH: more[SEARCH], CLUSTER: {**SPECS[CLUSTER], "capacity": CAPACITY}})
    (problem,) = problems(base, change)
    assert "more CPUs than the 2 of cluster local" in problem.message
    assert "acme" not in problem.message, "what others use of a cluster is not for each tenant to see"
    assert problem.across.endswith("the 2 of cluster local: acme 3")
    capacity = {"cpus": 9, "memory": "5Gi"}
    base = advanced(small_tree(), {SEARCH: more[SEARCH], CLUSTER: {**SPECS[CLUSTER], "capacity": capacity}})
    (problem,) = problems(base, change)
    assert problem.message.startswith("deployments could use more memory than the 5Gi of cluster local; scoring is ")


CAPACITY = {"cpus": 2, "memory": "99Gi"}


def test_the_first_that_goes_over_is_told_and_only_it() -> None:
    base = advanced(small_tree(), {FRAUD: quota(FRAUD, cpus=4)})
    names = ("a", "b", "c")
    paths = [DEPLOYMENT.replace("scoring", name) for name in names]
    (problem,) = problems(base, {path: deployed(V1) for path in paths})
    # 1.5 are there; a makes it 3, b 4.5.
    assert problem.path == paths[1]


def test_a_tree_that_is_over_can_be_mended_in_steps() -> None:
    over = advanced(small_tree(), {FRAUD: quota(FRAUD, cpus=1)})
    fewer = {**V1, "replicas": {"min": 1, "max": 2}}
    live = {"of": "0" * 40, "live": [{**fewer, "weight": 100}]}
    assert problems(over, {}) == ()
    assert problems(over, {DEPLOYMENT: deployed(fewer)}) == ()
    assert problems(over, {DEPLOYMENT: deployed(fewer), ROLLOUT: live}) == ()
    assert problems(over, {DEPLOYMENT: {**REPLACE, "endpoint": {"timeout": "9s"}}}) == ()
    (problem,) = problems(over, {DEPLOYMENT: deployed({**V1, "replicas": {"max": 4}})})
    assert problem.code == "quota-cpus"


def test_steps_of_a_rollout_are_warned_of_and_not_held_up() -> None:
    base = advanced(small_tree(), {FRAUD: quota(FRAUD, cpus=2)})
    (problem,) = problems(base, {ROLLOUT: {"of": "0" * 40, "live": [{**V1, "weight": 0}, {**V2, "weight": 100}]}})
    assert (problem.severity, problem.path) == (Severity.WARNING, DEPLOYMENT)


def test_a_lowered_limit_is_told_where_it_was_lowered() -> None:
    capacity = {**SPECS[CLUSTER], "capacity": {"cpus": 1, "memory": "1Gi"}}
    found = problems(small_tree(), {CLUSTER: capacity})
    assert [(each.path, each.field, each.code) for each in found if each.code.startswith("quota")] == [
        (CLUSTER, "spec.capacity.cpus", "quota-cpus"),
        (CLUSTER, "spec.capacity.memory", "quota-memory"),
    ]


def test_without_a_number_there_is_no_limit_and_without_a_name_no_gpu() -> None:
    many = {**V1, "replicas": {"max": 9999}}
    assert problems(small_tree(), {DEPLOYMENT: deployed(many)}) == ()
    base = advanced(small_tree(), {CLUSTER: {**SPECS[CLUSTER], "gpuPools": [{"type": "nvidia-l4", "count": 8}]}})
    found = problems(base, {DEPLOYMENT: deployed({**V1, "resources": {"gpus": {"nvidia-l4": 1}}})})
    assert [each.code for each in found] == ["quota-gpus", "quota-gpus"], "the project's and the tenant's"
    assert "3 GPUs of type nvidia-l4, 3 more than the 0 of project fraud" in found[0].message
