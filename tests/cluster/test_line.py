"""The line on a real cluster: a request, its commit, Argo CD, KServe, ready; and what is in the way, said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.line import NAME, Line, gateway_of, laid_out
from tests.support.clusters import Cluster, Manifest, until

pytestmark = [pytest.mark.cluster, pytest.mark.parts]

PATIENCE = 120.0


@pytest.fixture(scope="module")
def line(cluster: Cluster, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = Line(laid_out(tmp_path_factory.mktemp("line") / "root"), cluster, kubeconfig)
    made.install()
    made.up()
    with gateway_of(cluster):
        try:
            made.make_secret()
            yield made
        finally:
            made.platform.down()
            made.end()


def test_a_deployment_from_the_request_to_ready(line: Line) -> None:
    line.acme.deploy("scoring", "v1", "scaler@1")
    found = line.acme.settled("scoring", "v1", PATIENCE)
    workload = line.workload("scoring-v1")
    assert workload is not None
    annotations = workload["spec"]["template"]["metadata"]["annotations"]
    digest = found["served"][0]["digest"].removeprefix("sha256:")
    assert annotations["internal.serving.kserve.io/storage-initializer-sourceuri"].rstrip("/").endswith(digest)
    assert line.synced() == line.platform.repository.commit(f"rendered/{NAME}").hexsha
    assert line.weights("scoring") == {"v1": 100}
    assert line.condition("scoring", "Applied")["reason"] == "Synced"


def test_a_new_version_walks_and_traffic_moves_in_the_route(line: Line) -> None:
    line.acme.deploy("scoring", "v2", "scaler@2")
    seen: list[dict[str, int]] = []

    def arrived() -> bool:
        weights = line.weights("scoring")
        if weights and (not seen or seen[-1] != weights):
            seen.append(weights)
        found = line.acme.deployment("scoring")
        return found["ready"] and [each["name"] for each in found["served"]] == ["v2"]

    until(arrived, "v2 to serve alone", PATIENCE)
    assert seen == [{"v1": 100}, {"v1": 100, "v2": 0}, {"v1": 0, "v2": 100}, {"v2": 100}]
    until(lambda: line.workload("scoring-v1") is None, "v1 to be gone", PATIENCE)


def test_a_rollback_holds_and_no_sync_undoes_it(line: Line) -> None:
    line.acme.write("POST", "/api/v1/deployments/scoring:rollback", {"reason": "worse"})
    line.acme.settled("scoring", "v1", PATIENCE)
    time.sleep(5)
    assert line.weights("scoring") == {"v1": 100}
    assert line.acme.deployment("scoring")["rollout"]["hold"]["reason"] == "worse"


def test_what_a_person_changes_by_hand_is_put_back_and_shown(line: Line) -> None:
    service = line.service("scoring-v1")
    assert service is not None
    line.cluster.merge(service, {"spec": {"predictor": {"maxReplicas": 9}}})
    line.says("scoring", "Applied", "InferenceService scoring-v1 had been changed on the cluster")
    after = line.service("scoring-v1")
    assert after is not None
    assert after["spec"]["predictor"]["maxReplicas"] == service["spec"]["predictor"]["maxReplicas"]


def test_a_node_short_of_gpus_is_said(line: Line) -> None:
    body = {
        "runtime": "triton",
        "traffic": {"replace": {}},
        "versions": [{"name": "v1", "model": "scaler@1", "resources": {"cpus": 500, "memory": "1Gi"}}],
    }
    line.acme.write("PUT", "/api/v1/deployments/wide", body)
    line.says("wide", "Ready", "Insufficient cpu")
    line.acme.write("DELETE", "/api/v1/deployments/wide")
    until(lambda: line.service("wide-v1") is None, "it to be gone", PATIENCE)


def test_a_manifest_for_anothers_namespace_is_refused_and_shown(line: Line) -> None:
    """What no renderer would make is put on the branch past the hydrator."""
    path, service = "acme/fraud/inferenceservice-foreign.yaml", line.service("scoring-v1")
    assert service is not None
    labels = service["metadata"]["labels"]
    foreign = {key: service[key] for key in ("apiVersion", "kind", "spec")} | {
        "metadata": {
            "name": "foreign",
            "namespace": "globex--churn",
            "labels": labels,
            "annotations": {"ordain.dev/model-digest": "sha256:" + "0" * 64},
        }
    }
    line.render(path, foreign)
    said = line.says("scoring", "Applied", "globex--churn")
    assert (said["status"], said["reason"]) == (False, "SyncFailed")
    fence = f"the namespace globex--churn is fenced off: the AppProject {NAME}-acme lets nothing of it go there"
    assert said["message"] == f"{path}: {fence}"
    assert line.stored("serving.kserve.io/v1beta1", "InferenceService", "foreign", "globex--churn") is None
    line.render(path, None)
    line.acme.settled("scoring", "v1", PATIENCE)


def test_a_deployment_that_is_deleted_leaves_nothing(line: Line) -> None:
    def left() -> list[Manifest]:
        kinds = (("serving.kserve.io/v1beta1", "InferenceService"), ("gateway.networking.k8s.io/v1", "HTTPRoute"))
        found = [each for version, kind in kinds for each in line.cluster.listed(version, kind, "acme--fraud")]
        return found + line.cluster.listed("apps/v1", "Deployment", "acme--fraud")

    line.acme.write("DELETE", "/api/v1/deployments/scoring")
    until(lambda: not left(), "everything to be gone", PATIENCE)
