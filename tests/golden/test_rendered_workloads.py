from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from intents.tree import Tree
from renderers.admission import render_default_seccomp, render_workflow_names
from renderers.canonical import Manifest, to_yaml
from renderers.kfp import experiment_body, run_body
from renderers.kueue import render_cluster_queue, render_flavors, render_local_queue, render_serving_priority
from renderers.trainer import render_runtimes, render_training_job
from renderers.unit import Unit, manifest_path
from tests.fixtures.trees import RUN, TRAIN
from tests.fixtures.workloads import LINEAR, OF_ACME, OF_FRAUD, ON_CLUSTER, TRAINING, kfp_run, workload_tree
from tests.golden.golden_files import check_golden

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "templates" / "train-classifier" / "1.0.0" / "pipeline.yaml"
TWO_DOCUMENTS = ROOT / "tests" / "fixtures" / "packages" / "two_documents.yaml"
RUN_ID = UUID("88674b5e-7e0a-4729-a9e1-d282f7f7ab56")
EXPERIMENT_ID = "d704cbff-8044-4258-ae08-fd67dc0c3675"
ON_GPUS = {"resources": {"cpus": 4, "memory": "16Gi", "gpus": {"nvidia-l4": 1}}}


def files(unit: Unit, *manifests: Manifest) -> dict[str, bytes]:
    return {manifest_path(unit, each): to_yaml(each) for each in manifests}


@pytest.mark.parametrize(("name", "tree"), TRAINING.items(), ids=TRAINING)
def test_a_training_job_is_rendered_as_kept(name: str, tree: Tree) -> None:
    manifests = files(LINEAR, *render_training_job(tree, LINEAR)) | files(
        ON_CLUSTER, *render_runtimes(tree, ON_CLUSTER)
    )
    check_golden(f"training/{name}", manifests)


def test_queues_are_rendered_as_kept() -> None:
    tree = workload_tree()
    rendered = (
        files(ON_CLUSTER, *render_flavors(tree, ON_CLUSTER), *render_serving_priority(tree, ON_CLUSTER))
        | files(OF_ACME, *render_cluster_queue(tree, OF_ACME))
        | files(OF_FRAUD, *render_local_queue(tree, OF_FRAUD))
    )
    check_golden("queues", rendered)


def test_what_admission_changes_is_rendered_as_kept() -> None:
    tree = workload_tree()
    policies = (*render_workflow_names(tree, ON_CLUSTER), *render_default_seccomp(tree, ON_CLUSTER))
    check_golden("admission", files(ON_CLUSTER, *policies))


@pytest.mark.parametrize(
    ("name", "package", "changes"),
    [
        ("shipped", SHIPPED, {}),
        ("two-documents", TWO_DOCUMENTS, {}),
        ("on-gpus", TWO_DOCUMENTS, {TRAIN: ON_GPUS, RUN: {"attempt": 2}}),
    ],
)
def test_a_run_is_submitted_as_kept(name: str, package: Path, changes: dict[str, dict[str, object]]) -> None:
    asked = kfp_run(package.read_bytes(), changes)
    bodies = {
        "experiment.json": experiment_body("acme", "fraud"),
        "run.json": run_body(asked, RUN_ID, EXPERIMENT_ID),
    }
    check_golden(f"kfp/{name}", {path: _json(each) for path, each in bodies.items()})


def _json(body: object) -> bytes:
    return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()
