"""What KServe makes of a deployment, as far as renderers rely on it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from renderers.network import KNATIVE_PORTS
from renderers.serving_runtime import HTTP_PORT
from tests.cluster.conftest import Connect
from tests.cluster.served import (
    ARGO_CD,
    NAMESPACE,
    SERVED,
    Served,
    changed,
    containers_of,
    deliver,
    gpu_node,
    names_of,
    selector_of,
    served_tree,
)
from tests.support.clusters import Cluster, Manifest, until
from tests.support.deliveries import Delivery

pytestmark = pytest.mark.cluster

ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute", NAMESPACE)
SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"


@pytest.fixture(scope="module")
def gpus(cluster: Cluster) -> Iterator[Manifest]:
    node = gpu_node()
    yield cluster.apply(node)
    cluster.delete([node])


@pytest.fixture(scope="module")
def served(gpus: Manifest, delivery: Delivery, as_argo_cd: Connect) -> Served:
    return deliver(delivery, as_argo_cd(ARGO_CD), served_tree())


@pytest.mark.parametrize("name", SERVED)
def test_requests_to_port_80_reach_the_pods(served: Served, name: str) -> None:
    service = served.service(name)
    (port,) = [each for each in service["spec"]["ports"] if each["port"] == 80]
    assert port["targetPort"] == HTTP_PORT
    pods = served.pods(selector_of(service["spec"]["selector"]))
    assert names_of(pods) == names_of(served.pods_of(served.deployment(name)))
    assert pods


def test_pods_are_taken_where_everything_is_enforced(served: Served) -> None:
    """By Pod Security's level `restricted` and by every rule of the platform; KServe adds a container to each."""
    namespace = served.manifest("Namespace", NAMESPACE)["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    events = served.account.listed("v1", "Event", NAMESPACE)
    assert [each["message"] for each in events if each["reason"] == "FailedCreate"] == []
    for pod in served.pods():
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers_of(pod):
            assert container["securityContext"]["runAsNonRoot"] is True
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()


def test_what_fetches_a_model_asks_for_less_than_its_server(served: Served) -> None:
    """So a pod uses of a quota what its version says."""
    quota = served.account.stored(served.manifest("ResourceQuota", "ordain"))
    assert quota is not None
    # v1 with half a CPU, v2 with one, one router; the unit is thousandths.
    wanted = {"requests.cpu": "1600m", "requests.memory": "3684Mi", "requests.nvidia.com/gpu": "1"}
    used = until(lambda: _used(served, wanted), f"{wanted} are used of the quota")
    assert used.items() >= wanted.items()


def _used(served: Served, wanted: dict[str, str]) -> dict[str, str] | None:
    quota = served.account.stored(served.manifest("ResourceQuota", "ordain")) or {}
    used: dict[str, str] = quota["status"]["used"]
    return used if used.items() >= wanted.items() else None


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_strategy_reaches_the_deployment(served: Served, version: str) -> None:
    asked = served.manifest("InferenceService", f"scoring-{version}")["spec"]["predictor"]["deploymentStrategy"]
    assert served.deployment(f"scoring-{version}-predictor")["spec"]["strategy"] == asked


@pytest.mark.parametrize(
    "other",
    [
        {"deploymentStrategy": {"type": "Recreate"}},
        {"deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
        {"minReplicas": 2, "maxReplicas": 5},
    ],
    ids=["recreate", "in-place", "replicas"],
)
def test_no_pod_restarts_because_strategy_or_replicas_change(served: Served, other: dict[str, Any]) -> None:
    manifest = served.manifest("InferenceService", "scoring-v1")
    before = served.deployment("scoring-v1-predictor")
    pods = names_of(served.pods_of(before))
    served.account.apply(changed(manifest, **other))
    until(
        lambda: _is_settled(served.deployment("scoring-v1-predictor"), before["metadata"]["generation"]), "it is done"
    )
    after = served.deployment("scoring-v1-predictor")
    assert after["spec"]["template"] == before["spec"]["template"]
    assert pods <= names_of(served.pods_of(after))
    assert after["spec"]["strategy"] == other.get("deploymentStrategy", before["spec"]["strategy"])
    served.account.apply(manifest)
    until(lambda: served.deployment("scoring-v1-predictor")["spec"]["strategy"] == before["spec"]["strategy"], "back")


def _is_settled(deployment: Manifest, before: int) -> bool:
    seen = deployment["status"]["observedGeneration"]
    return bool(seen == deployment["metadata"]["generation"] > before)


def test_another_model_replaces_the_pods_and_says_so(served: Served) -> None:
    """The annotation of the pods' template is the one place at which a Deployment says which bytes it serves."""
    manifest = served.manifest("InferenceService", "scoring-v1")
    model = manifest["spec"]["predictor"]["model"]
    pods = names_of(served.pods_of(served.deployment("scoring-v1-predictor")))
    other = f"{model['storageUri'].rstrip('/')}-other/"
    served.account.apply(changed(manifest, model={**model, "storageUri": other}))

    def replaced() -> bool:
        deployment = served.deployment("scoring-v1-predictor")
        source = deployment["spec"]["template"]["metadata"]["annotations"][SOURCE]
        here = names_of(served.pods_of(deployment))
        return source == other and bool(here) and not here & pods

    until(replaced, "other pods serve the other model")
    served.account.apply(manifest)


def test_no_route_goes_around_the_edge(served: Served) -> None:
    for name in ("scoring-v1", "scoring-v2"):
        until(lambda name=name: _is_ready(served, "InferenceService", name), f"{name} is ready")  # type: ignore[misc]
    assert names_of(served.account.listed(*ROUTE)) == {served.manifest("HTTPRoute", "scoring")["metadata"]["name"]}


def test_without_its_label_kserve_would_open_a_way_around_the_edge(served: Served) -> None:
    manifest = copy.deepcopy(served.manifest("InferenceService", "scoring-v1"))
    manifest["metadata"]["name"] = "open"
    del manifest["metadata"]["labels"]["networking.kserve.io/visibility"]
    served.account.apply(manifest)
    around = {"open", "open-predictor"}
    until(lambda: around <= names_of(served.account.listed(*ROUTE)), "KServe has made routes of its own")
    served.account.delete([manifest])
    until(lambda: not served.account.listed("v1", "Pod", NAMESPACE, "app=isvc.open-predictor"), "its pods are gone")


def _is_ready(served: Served, kind: str, name: str) -> bool:
    stored = served.account.stored(served.manifest(kind, name)) or {}
    conditions = stored.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@pytest.mark.parametrize(
    ("budget", "deployment"),
    [
        ("scoring-v1", "scoring-v1-predictor"),
        ("scoring-v2", "scoring-v2-predictor"),
        ("scoring--ab", "scoring--ab"),
    ],
)
def test_a_disruption_budget_is_of_the_pods_of_one_deployment(served: Served, budget: str, deployment: str) -> None:
    manifest = served.manifest("PodDisruptionBudget", budget)
    pods = served.pods_of(served.deployment(deployment))
    assert names_of(served.pods(selector_of(manifest["spec"]["selector"]["matchLabels"]))) == names_of(pods)
    stored = until(lambda: _expects(served, manifest, len(pods)), "the budget counts the pods")
    assert stored["status"]["disruptionsAllowed"] == 1


def _expects(served: Served, manifest: Manifest, pods: int) -> Manifest | None:
    stored = served.account.stored(manifest)
    status = stored["status"] if stored else {}
    return stored if status.get("expectedPods") == status.get("currentHealthy") == pods else None


def test_the_network_policy_is_of_all_pods_that_serve(served: Served) -> None:
    policy = served.manifest("NetworkPolicy", "serving")["spec"]
    (expression,) = policy["podSelector"]["matchExpressions"]
    assert expression["operator"] == "Exists"
    pods = [served.pods_of(served.deployment(name)) for name in SERVED]
    assert names_of(served.pods(expression["key"])) == set().union(*map(names_of, pods))
    opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    assert {served.service(name)["spec"]["ports"][0]["targetPort"] for name in SERVED} == opened
    assert not opened & set(KNATIVE_PORTS)


def test_model_servers_run_as_their_account_and_get_no_token(served: Served) -> None:
    for pod in served.pods():
        assert pod["spec"]["serviceAccountName"] == "ordain-serving"
        assert pod["spec"]["automountServiceAccountToken"] is False
        mounted = {mount["name"] for container in containers_of(pod) for mount in container.get("volumeMounts", ())}
        assert mounted <= {"kserve-provision-location"}


def test_credentials_of_the_object_store_reach_what_fetches_the_model_alone(served: Served) -> None:
    for pod in served.pods("component=predictor"):
        (fetching,), (serving,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
        secrets = {each["valueFrom"]["secretKeyRef"]["name"] for each in fetching["env"] if "valueFrom" in each}
        assert secrets == {"s3-keys"}
        assert not [each for each in serving.get("env", ()) if "valueFrom" in each]


def test_pods_with_gpus_come_onto_the_nodes_of_their_pool(served: Served, gpus: Manifest) -> None:
    nodes = {pod["spec"]["nodeName"] for pod in served.pods_of(served.deployment("scoring-v2-predictor"))}
    assert nodes == {gpus["metadata"]["name"]}
    others = {pod["spec"]["nodeName"] for pod in served.pods_of(served.deployment("scoring-v1-predictor"))}
    assert not nodes & others


@pytest.mark.parametrize("name", SERVED)
def test_the_queue_of_the_project_reaches_deployments_and_pods(served: Served, name: str) -> None:
    deployment = served.deployment(name)
    for labels in (
        deployment["metadata"]["labels"],
        *(pod["metadata"]["labels"] for pod in served.pods_of(deployment)),
    ):
        assert labels["kueue.x-k8s.io/queue-name"] == "ordain"


def test_gpus_are_refused_where_the_namespace_does_not_name_them(served: Served) -> None:
    service = copy.deepcopy(served.manifest("InferenceService", "scoring-v2"))
    service["metadata"] |= {"name": "elsewhere", "namespace": "globex--churn"}
    assert "GPU" in served.account.refusal(service)
