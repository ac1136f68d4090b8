"""What runs and training jobs are rendered to, and the queues that count them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from intents.kinds import TemplateSpec
from intents.problems import InvalidIntent
from intents.quantities import canonical_quantity, quantity_value
from intents.tree import Tree
from renderers.admission import render_default_seccomp, render_workflow_names
from renderers.argocd import TENANT_KINDS
from renderers.canonical import Manifest
from renderers.kueue import render_cluster_queue, render_flavors, render_local_queue, render_serving_priority
from renderers.policies.engines import render_policies
from renderers.policies.rules import ALLOWED_KINDS
from renderers.policies.verdicts import verdicts
from renderers.rendering import render_cluster, render_unit
from renderers.trainer import OUTPUT_VARIABLE, arguments, render_runtimes, render_training_job, train_job_name
from renderers.unit import Unit, UnitKind
from tests.fixtures.admission import Answer, Request, admit
from tests.fixtures.custom_resources import complaints, missing_defaults
from tests.fixtures.policy_objects import carrying, pod_spec
from tests.fixtures.serving import situations
from tests.fixtures.tenancy import platform_trees
from tests.fixtures.trees import ACME, CLUSTER, DDP, TRAINING_JOB, small_tree
from tests.fixtures.workloads import (
    EVERY_TYPE,
    GPUS,
    KUBERNETES,
    LINEAR,
    OF_ACME,
    OF_FRAUD,
    ON_CLUSTER,
    TRAINING,
    workload_tree,
)

TREES = {
    **TRAINING,
    "kyverno": workload_tree(
        {CLUSTER: {"kubernetes": {**KUBERNETES["kubernetes"], "policyEngine": "Kyverno"}}},
    ),
    "no quota, no capacity": workload_tree({ACME: {"quota": {}}, CLUSTER: {"capacity": None}}),
}
OWN = ("admissionregistration.k8s.io", "kueue.x-k8s.io", "policies.kyverno.io", "trainer.kubeflow.org")
MANIFESTS = [
    pytest.param(manifest, id=f"{name}-{path}")
    for name, tree in TREES.items()
    for unit in (ON_CLUSTER, OF_ACME, OF_FRAUD, LINEAR)
    for path, manifest in render_unit(tree, unit).items()
    if manifest["apiVersion"].startswith(OWN)
]


def only(manifests: Any) -> Manifest:
    (found,) = manifests
    assert isinstance(found, dict)
    return found


def train_job(**spec: Any) -> Manifest:
    return only(render_training_job(workload_tree({TRAINING_JOB: spec}), LINEAR))


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_published_definition_has_nothing_against_it(manifest: Manifest) -> None:
    assert complaints(manifest) == []


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_api_server_has_no_default_to_add(manifest: Manifest) -> None:
    """But for `suspend`: a TrainJob's is Kueue's to write, and whoever states it takes it from Kueue."""
    assert missing_defaults(manifest) == (["$.spec.suspend"] if manifest["kind"] == "TrainJob" else [])


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_quantities_are_as_the_api_server_stores_them(manifest: Manifest) -> None:
    for quantity in _quantities(manifest):
        assert quantity == canonical_quantity(quantity)


def _quantities(value: Any) -> list[str]:
    if isinstance(value, list):
        return [quantity for each in value for quantity in _quantities(each)]
    if not isinstance(value, dict):
        return []
    found = [value[name] for name in ("nominalQuota", "borrowingLimit") if name in value]
    for name in ("limits", "requests"):
        amounts = value.get(name)
        found += amounts.values() if isinstance(amounts, dict) else ()
    return found + [quantity for each in value.values() for quantity in _quantities(each)]


def test_without_kubernetes_there_is_no_admission_and_no_queue() -> None:
    tree = small_tree()
    for renderer in (
        render_workflow_names,
        render_default_seccomp,
        render_policies,
        render_flavors,
        render_serving_priority,
    ):
        assert list(renderer(tree, ON_CLUSTER)) == []
    assert list(render_cluster_queue(tree, OF_ACME)) == []
    assert list(render_local_queue(tree, OF_FRAUD)) == []
    assert only(render_training_job(tree, LINEAR))["metadata"]["name"] == "linear-1"


def test_one_engine_enforces_the_rules_of_a_cluster() -> None:
    kinds = {name: {each["kind"] for each in render_policies(TREES[name], ON_CLUSTER)} for name in ("plain", "kyverno")}
    assert kinds == {
        "plain": {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"},
        "kyverno": {"ValidatingPolicy"},
    }


@pytest.mark.parametrize(
    "tree", [workload_tree({TRAINING_JOB: {"resources": GPUS}}), *platform_trees().values(), *situations().values()]
)
def test_what_is_rendered_keeps_to_the_rules(tree: Tree) -> None:
    cluster, tenant = tree.cluster("local"), tree.tenant("acme")
    assert cluster
    assert tenant
    manifests = render_cluster(tree, "local").values()
    assert "acme--fraud" in {each["metadata"].get("namespace") for each in manifests}
    assert verdicts(manifests, tree.platform, cluster.spec, tenant.spec) == ()


def test_what_argo_cd_may_bring_for_tenants_is_allowed() -> None:
    assert set(TENANT_KINDS) <= {(group, kind) for group, kinds in ALLOWED_KINDS.items() for kind in kinds}


def test_namespaces_say_what_policies_read_there() -> None:
    tree = workload_tree()
    named = {each["metadata"]["name"]: each for each in render_unit(tree, OF_FRAUD).values()}
    labels = named["acme--fraud"]["metadata"]["labels"]
    asking = carrying("Pod", {**pod_spec(), "nodeSelector": {"cloud.example.com/gpu": "l4"}})
    asking["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "1"
    other = {**asking, "spec": {**asking["spec"], "nodeSelector": {"cloud.example.com/gpu": "a100"}}}
    policies = list(render_policies(tree, ON_CLUSTER))
    assert admit(policies, Request(asking, labels)) == Answer()
    assert admit(policies, Request(other, labels)).denied == {"ordain-gpu-types"}


def test_the_jobset_that_trainer_makes_keeps_to_the_rules() -> None:
    """It is judged too, so the runtime must bring what TrainJobs leave out."""
    tree = workload_tree({TRAINING_JOB: {"resources": GPUS}})
    cluster, tenant = tree.cluster("local"), tree.tenant("acme")
    assert cluster
    assert tenant
    job = only(render_training_job(tree, LINEAR))
    runtime = next(
        each
        for each in render_runtimes(tree, ON_CLUSTER)
        if each["metadata"]["name"] == job["spec"]["runtimeRef"]["name"]
    )
    jobset = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": "linear-1", "namespace": "acme--fraud"},
        "spec": json.loads(json.dumps(runtime["spec"]["template"]["spec"])),
    }
    (container,) = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]["containers"]
    trainer = job["spec"]["trainer"]
    container |= {"image": trainer["image"], "resources": trainer["resourcesPerNode"]}
    broken = verdicts([jobset], tree.platform, cluster.spec, tenant.spec)
    assert [each.rule.value for each in broken] == ["allowedKinds"]  # Trainer is not asked about kinds


# training


def test_each_attempt_is_a_train_job_of_its_own() -> None:
    assert [train_job(attempt=number)["metadata"]["name"] for number in (1, 2)] == ["linear-1", "linear-2"]
    assert train_job_name("linear", 10_000) == "linear-10000"


def test_cancelled_is_not_rendered() -> None:
    assert render_unit(TRAINING["cancelled"], LINEAR) == {}
    assert render_unit(workload_tree(), Unit(UnitKind.TRAINING_JOB, "local", "acme", "fraud", "other")) == {}


def test_suspend_is_left_to_kueue() -> None:
    job = train_job()
    assert "suspend" not in job["spec"]
    assert "runtimePatches" not in job["spec"]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "ordain"


def test_parameters_become_typed_arguments_in_one_order() -> None:
    backwards = dict(reversed(EVERY_TYPE.items()))
    expected = [
        "--epochs=5",
        "--layers=[8,16]",
        "--learning_rate=0.1",
        "--name=a b",
        "--resume=false",
        '--schedule={"decay":[0.5,"cosine"],"warmup":2}',
    ]
    template = TemplateSpec.model_validate({"training": {"image": "python:3.11", "command": ["true"]}})
    assert arguments(template, EVERY_TYPE) == arguments(template, backwards) == expected


def test_what_is_not_given_has_the_templates_default() -> None:
    properties = {"epochs": {"default": 3}, "note": {"default": "größer"}, "seed": {}, "off": {"default": None}}
    tree = workload_tree({DDP: {"parameters": {"properties": properties}}, TRAINING_JOB: {"parameters": {"epochs": 9}}})
    job = only(render_training_job(tree, LINEAR))
    assert job["spec"]["trainer"]["args"] == ["--epochs=9", "--note=größer", "--off=null"]


@pytest.mark.parametrize("text", ["$(AWS_SECRET_ACCESS_KEY)", "$$(A)", "$$$(A)", "5 $", "$", "$x $(", "$()"])
def test_a_program_finds_a_parameter_as_it_was_written(text: str) -> None:
    """Kubernetes makes one `$` of two, and nothing else of what has no single one before a parenthesis."""
    template = TemplateSpec.model_validate({"training": {"image": "python:3.11", "command": ["python"]}})
    (argument,) = arguments(template, {"label": text})
    assert re.search(r"(?<!\$)(?:\$\$)*\$\(", argument) is None
    assert argument.replace("$$", "$") == f"--label={text}"


def test_a_training_job_without_parameters_has_no_arguments() -> None:
    tree = workload_tree({DDP: {"parameters": {}}, TRAINING_JOB: {"parameters": {}}})
    assert "args" not in only(render_training_job(tree, LINEAR))["spec"]["trainer"]


def test_resources_are_the_templates_where_the_job_says_nothing() -> None:
    resources = [
        train_job()["spec"]["trainer"]["resourcesPerNode"],
        train_job(resources=GPUS)["spec"]["trainer"]["resourcesPerNode"],
    ]
    assert [each["requests"] for each in resources] == [
        {"cpu": "2", "memory": "4Gi"},
        {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
    ]
    assert all(each["requests"] == each["limits"] for each in resources)


def test_gpus_lead_to_the_runtime_of_their_pool() -> None:
    runtimes = {each["metadata"]["name"]: each for each in render_runtimes(workload_tree(), ON_CLUSTER)}
    named = train_job(resources=GPUS)["spec"]["runtimeRef"]["name"]
    (job,) = runtimes[named]["spec"]["template"]["spec"]["replicatedJobs"]
    assert job["template"]["spec"]["template"]["spec"]["nodeSelector"] == {"cloud.example.com/gpu": "l4"}
    assert train_job()["spec"]["runtimeRef"]["name"] in runtimes
    assert "nodeSelector" not in str(runtimes["ordain-torch"])


def test_gpus_of_no_pool_are_refused() -> None:
    with pytest.raises(InvalidIntent, match="no pool of nvidia-h100"):
        train_job(resources={"gpus": {"nvidia-h100": 1}})


def test_a_deadline_is_in_seconds() -> None:
    assert "activeDeadlineSeconds" not in train_job()["spec"]
    assert train_job(deadline="90m")["spec"]["activeDeadlineSeconds"] == 5400


def test_outputs_of_two_attempts_do_not_meet() -> None:
    places = {only(train_job(attempt=number)["spec"]["trainer"]["env"])["value"] for number in (1, 2)}
    assert places == {f"s3://artifacts/acme/fraud/training/linear/{number}" for number in (1, 2)}
    assert only(train_job()["spec"]["trainer"]["env"])["name"] == OUTPUT_VARIABLE


# queues


def quotas(tree: Tree) -> dict[str, dict[str, Any]]:
    spec = only(render_cluster_queue(tree, OF_ACME))["spec"]
    return {
        flavor["name"]: {each["name"]: each["nominalQuota"] for each in flavor["resources"]}
        for group in spec["resourceGroups"]
        for flavor in group["flavors"]
    }


def test_a_tenants_queue_has_its_quota() -> None:
    assert quotas(workload_tree()) == {
        "ordain-cpu": {"cpu": "64", "memory": "256Gi"},
        "ordain-gpu-nvidia-l4": {"nvidia.com/gpu": "4"},
        "ordain-gpu-nvidia-a100": {"nvidia.com/gpu": "0"},
        "ordain-gpu-amd-mi300": {"amd.com/gpu": "0"},
    }


def test_without_a_quota_the_cluster_is_the_limit() -> None:
    assert quotas(workload_tree({ACME: {"quota": {}}}))["ordain-cpu"] == {"cpu": "256", "memory": "1Ti"}
    unlimited = quotas(TREES["no quota, no capacity"])["ordain-cpu"]
    # Kueue adds up a cohort in thousandths of CPUs and in bytes, in 64 bits.
    assert all(quantity_value(each) * 1000 * 5000 < Decimal(2**63) for each in (unlimited["cpu"],))
    assert quantity_value(unlimited["memory"]) * 5000 < Decimal(2**63)


def test_nothing_is_borrowed() -> None:
    spec = only(render_cluster_queue(workload_tree(), OF_ACME))["spec"]
    flavors = [flavor for group in spec["resourceGroups"] for flavor in group["flavors"]]
    assert {each["borrowingLimit"] for flavor in flavors for each in flavor["resources"]} == {"0"}
    assert spec["preemption"]["reclaimWithinCohort"] == "Never"


def test_every_flavor_of_a_queue_is_there_and_stands_in_one_group() -> None:
    flavors = [each["metadata"]["name"] for each in render_flavors(workload_tree(), ON_CLUSTER)]
    assert sorted(flavors) == sorted(quotas(workload_tree()))
    assert len(set(flavors)) == len(flavors)


def test_a_projects_queue_leads_to_its_tenants() -> None:
    local, cluster = (
        only(render_local_queue(workload_tree(), OF_FRAUD)),
        only(render_cluster_queue(workload_tree(), OF_ACME)),
    )
    assert local["spec"]["clusterQueue"] == cluster["metadata"]["name"]
    assert local["metadata"]["namespace"] == "acme--fraud"
