"""What is sent to a KFP API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig, PipelineSpec, PlatformSpec
from kfp_server_api import V2beta1Experiment, V2beta1Run

from intents.problems import InvalidIntent
from renderers.kfp import WORKFLOW_TTL_SECONDS, Body, KfpRun, experiment_body, run_body
from tests.fixtures.trees import PLATFORM, RUN, TRAIN
from tests.fixtures.workloads import GPUS, Changes, kfp_run

PACKAGES = Path(__file__).resolve().parents[2] / "fixtures" / "packages"
SHIPPED = (PACKAGES.parents[2] / "templates" / "train-classifier" / "1.0.0" / "pipeline.yaml").read_bytes()
TWO_DOCUMENTS = (PACKAGES / "two_documents.yaml").read_bytes()
RUN_ID = UUID(int=7)


def body(package: bytes = SHIPPED, changes: Changes | None = None) -> Body:
    return run_body(kfp_run(package, changes), RUN_ID, "e1")


def executors(sent: Body) -> dict[str, Any]:
    found: dict[str, Any] = sent["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"]
    return found


def configs(sent: Body) -> dict[str, Any]:
    found: dict[str, Any] = sent["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"][
        "executors"
    ]
    return found


@pytest.mark.parametrize("package", [SHIPPED, TWO_DOCUMENTS], ids=["shipped", "two-documents"])
@pytest.mark.parametrize("resources", [{}, {"resources": GPUS}], ids=["cpus", "gpus"])
def test_kfp_reads_every_field_that_is_sent(package: bytes, resources: dict[str, Any]) -> None:
    """Its server takes unknown fields of containers without a word; the messages do not."""
    sent = body(package, {TRAIN: resources})
    assert sent.keys() <= set(V2beta1Run.attribute_map.values())
    assert experiment_body("acme", "fraud").keys() <= set(V2beta1Experiment.attribute_map.values())
    spec = sent["pipeline_spec"]
    ParseDict(spec["pipeline_spec"], PipelineSpec())
    ParseDict(spec["pipeline_spec"]["deploymentSpec"], PipelineDeploymentConfig())
    ParseDict(spec["platform_spec"], PlatformSpec())
    for config in configs(sent).values():
        ParseDict(config, KubernetesExecutorConfig())


def test_a_body_is_the_same_each_time() -> None:
    assert json.dumps(body(), sort_keys=True) == json.dumps(body(), sort_keys=True)
    assert body()["run_id"] == str(RUN_ID)


def test_a_body_says_whose_run_it_is() -> None:
    sent = body(SHIPPED, {RUN: {"attempt": 2}})
    assert sent["service_account"] == "ordain-runs"
    assert sent["display_name"] == "first-2"
    assert sent["runtime_config"] == {
        "parameters": {"rounds": 100},
        "pipeline_root": f"s3://artifacts/acme/fraud/runs/{RUN_ID}/1",
    }
    assert experiment_body("acme", "fraud") == {"display_name": "acme--fraud", "namespace": "acme--fraud"}


@pytest.mark.parametrize("package", [SHIPPED, TWO_DOCUMENTS], ids=["shipped", "two-documents"])
def test_every_task_is_queued_and_marked(package: bytes) -> None:
    sent = body(package)
    tasks = {label for label, each in executors(sent).items() if "container" in each}
    assert configs(sent).keys() == tasks
    for config in configs(sent).values():
        labels = config["podMetadata"]["labels"]
        assert labels["kueue.x-k8s.io/queue-name"] == "ordain"
        assert labels["ordain.dev/tenant"] == "acme"
        assert labels["ordain.dev/run"] == "first"


def test_what_a_package_says_of_its_pods_stays_but_for_whose_they_are() -> None:
    config = configs(body(TWO_DOCUMENTS))
    assert config["exec-prepare"]["podMetadata"]["annotations"] == {"note": "mine"}
    assert config["exec-prepare"]["podMetadata"]["labels"]["team"] == "risk"
    assert config["exec-prepare"]["podMetadata"]["labels"]["ordain.dev/tenant"] == "acme"
    assert config["exec-train"]["imagePullPolicy"] == "Always"
    assert config["exec-train"]["nodeSelector"] == {"labels": {"disk": "fast"}}
    assert "pipelineConfig" in body(TWO_DOCUMENTS)["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]


def test_finished_workflows_go_after_a_while_whatever_a_package_says() -> None:
    pipeline, platform = yaml.safe_load_all(TWO_DOCUMENTS)
    platform["platforms"]["kubernetes"]["pipelineConfig"] = {"resourceTtlOnFailure": 5, "workspace": {"size": "1Gi"}}
    sent = body(yaml.safe_dump_all([pipeline, platform]).encode())
    assert sent["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["pipelineConfig"] == {
        "resourceTtlOnCompletion": WORKFLOW_TTL_SECONDS,
        "workspace": {"size": "1Gi"},
    }


def test_no_task_is_taken_from_the_cache() -> None:
    pipeline = yaml.safe_load(SHIPPED)
    pipeline["components"]["comp-inner"] = {"dag": {"tasks": {"deep": {"cachingOptions": {"enableCache": True}}}}}
    sent = body(yaml.safe_dump(pipeline).encode())["pipeline_spec"]["pipeline_spec"]
    dags = [each["dag"]["tasks"] for each in (sent["root"], *sent["components"].values()) if "dag" in each]
    assert len(dags) == 2
    assert all(task["cachingOptions"] == {} for tasks in dags for task in tasks.values())


def test_no_task_runs_as_root_where_that_is_refused() -> None:
    config = configs(body(TWO_DOCUMENTS))
    assert config["exec-prepare"]["securityContext"] == {"runAsUser": "1234", "runAsGroup": 1000, "runAsNonRoot": True}
    assert config["exec-train"]["securityContext"] == {"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True}
    audited = configs(body(TWO_DOCUMENTS, {PLATFORM: {"policies": {"runAsNonRoot": "audit"}}}))
    assert audited["exec-prepare"]["securityContext"] == {"runAsUser": "1234"}
    assert "securityContext" not in audited["exec-train"]


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ({}, {"CpuLimit": "4", "CpuRequest": "4", "MemoryLimit": "16Gi", "MemoryRequest": "16Gi"}),
        ({"CpuLimit": "2"}, {"CpuLimit": "2", "CpuRequest": "2", "MemoryLimit": "16Gi", "MemoryRequest": "16Gi"}),
        (
            {"CpuRequest": "1", "CpuLimit": "2", "MemoryRequest": "1Gi"},
            {"CpuRequest": "1", "CpuLimit": "2", "MemoryRequest": "1Gi", "MemoryLimit": "1Gi"},
        ),
    ],
)
def test_resources_are_the_templates_where_a_task_says_nothing(said: dict[str, str], becomes: dict[str, str]) -> None:
    sent = body(_package_with({f"resource{name}": each for name, each in said.items()}), {TRAIN: {"resources": GPUS}})
    found = executors(sent)["exec-train"]["container"]["resources"]
    accelerator = found.pop("accelerator", None)
    assert found == {f"resource{name}": each for name, each in becomes.items()}
    # A task that says what it needs and names no GPU needs none.
    assert accelerator == (None if said else {"resourceType": "nvidia.com/gpu", "resourceCount": "1"})
    assert ("cloud.example.com/gpu" in str(configs(sent)["exec-train"])) is not bool(said)


def test_the_older_form_of_resources_is_kept() -> None:
    sent = body(_package_with({"cpuLimit": 2.0, "memoryRequest": 4.0}))
    found = executors(sent)["exec-train"]["container"]["resources"]
    assert found == {"cpuLimit": 2.0, "cpuRequest": 2.0, "memoryLimit": 4.0, "memoryRequest": 4.0}


def _package_with(resources: dict[str, Any]) -> bytes:
    pipeline, platform = yaml.safe_load_all(TWO_DOCUMENTS)
    pipeline["deploymentSpec"]["executors"]["exec-train"]["container"]["resources"] = resources
    return yaml.safe_dump_all([pipeline, platform]).encode()


def test_a_task_with_an_accelerator_of_its_own_comes_onto_the_pool() -> None:
    package = _package_with({"accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "2"}})
    sent = body(package, {TRAIN: {"resources": GPUS}})
    assert executors(sent)["exec-train"]["container"]["resources"]["accelerator"]["resourceCount"] == "2"
    assert configs(sent)["exec-train"]["nodeSelector"]["labels"]["cloud.example.com/gpu"] == "l4"


def test_a_package_without_containers_is_sent_as_it_is() -> None:
    pipeline = {"pipelineInfo": {"name": "empty"}, "root": {}, "schemaVersion": "2.1.0", "sdkVersion": "kfp-2.17.0"}
    sent = body(yaml.safe_dump(pipeline).encode())
    assert sent["pipeline_spec"]["pipeline_spec"] == pipeline
    assert configs(sent) == {}


def test_gpus_of_no_pool_are_not_submitted() -> None:
    asked: KfpRun = kfp_run(SHIPPED, {TRAIN: {"resources": {"gpus": {"nvidia-h100": 1}}}})
    with pytest.raises(InvalidIntent, match="no pool of nvidia-h100"):
        run_body(asked, RUN_ID, "e1")
