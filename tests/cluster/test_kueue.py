"""Serving, runs and training share one quota, as a real Kueue sees it; where the cluster has none, this is skipped."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from intents.tree import Tree
from tests.cluster.conftest import Connect
from tests.cluster.served import ARGO_CD, NAMESPACE, Served, changed, deliver, names_of, restricted_pod
from tests.fixtures.tenancy import full_specs
from tests.fixtures.trees import ACME, DEPLOYMENT, FRAUD, ROLLOUT, V1, tree_of
from tests.support.clusters import Cluster, Manifest, until
from tests.support.deliveries import Delivery

pytestmark = pytest.mark.cluster

PREDICTOR = "scoring-v1-predictor"
TWO = {**V1, "replicas": {"min": 2, "max": 2}}
"""Two pods of half a CPU and 1.5 GiB."""


@pytest.fixture(scope="module", autouse=True)
def kueue(cluster: Cluster) -> None:
    webhooks = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "kueue-mutating-webhook-configuration"},
    }
    if cluster.stored(webhooks) is None:
        pytest.skip("the cluster has no Kueue")


def queued_tree(cpus: str) -> Tree:
    """Return a tree whose tenant may use so many CPUs; its project would take more."""
    specs = full_specs()
    specs[ACME] |= {"quota": {"cpus": cpus, "memory": "64Gi"}}
    specs[FRAUD]["quota"] = {"cpus": 16}
    specs[DEPLOYMENT] |= {"versions": [TWO], "traffic": {"replace": {}}}
    specs[ROLLOUT] = {"of": "0" * 40, "live": [{**TWO, "weight": 100}]}
    return tree_of(specs)


@pytest.fixture
def task(cluster: Cluster) -> Iterator[Manifest]:
    """Return a pod as a run's tasks are, of half a CPU; it is not there yet."""
    labels = {"kueue.x-k8s.io/queue-name": "ordain"}
    pod = restricted_pod("task", {"cpu": "500m", "memory": "512Mi"}, labels)
    yield pod
    cluster.delete([pod])


def served_on(cpus: str, delivery: Delivery, as_argo_cd: Connect) -> Served:
    """Serve with both pods; KServe starts with one, and its autoscaler goes up to the minimum."""
    served = deliver(delivery, as_argo_cd(ARGO_CD), queued_tree(cpus), (PREDICTOR,))
    until(lambda: len(running(served)) == 2, "both pods run")
    return served


def queue_of(served: Served) -> Manifest:
    return served.manifest("ClusterQueue", "ordain-acme")


def with_cpus(queue: Manifest, cpus: str) -> Manifest:
    """Return a ClusterQueue with another number of CPUs."""
    other = copy.deepcopy(queue)
    other["spec"]["resourceGroups"][0]["flavors"][0]["resources"][0]["nominalQuota"] = cpus
    return other


def usage(served: Served) -> dict[str, str]:
    """Return what is used of the tenant's quota of CPUs and memory."""
    stored = served.account.stored(queue_of(served)) or {}
    flavors = {each["name"]: each["resources"] for each in stored.get("status", {}).get("flavorsUsage", ())}
    return {each["name"]: each["total"] for each in flavors.get("ordain-cpu", ())}


def is_held_back(pod: Manifest) -> bool:
    return any(gate["name"] == "kueue.x-k8s.io/admission" for gate in pod["spec"].get("schedulingGates", ()))


def waiting(served: Served) -> set[str]:
    """Return the pods that Kueue holds back."""
    return names_of([each for each in served.pods("kueue.x-k8s.io/queue-name=ordain") if is_held_back(each)])


def running(served: Served) -> set[str]:
    """Return the pods of the predictor that run."""
    pods = served.pods_of(served.deployment(PREDICTOR))
    return names_of([each for each in pods if each["status"].get("phase") == "Running"])


def test_what_is_served_uses_the_tenants_quota(delivery: Delivery, as_argo_cd: Connect) -> None:
    served = served_on("1", delivery, as_argo_cd)
    until(lambda: usage(served) == {"cpu": "1", "memory": "3Gi"}, "two pods of half a CPU and 1.5 GiB are counted")


def test_what_does_not_fit_waits_and_what_serves_goes_first(
    delivery: Delivery, as_argo_cd: Connect, task: Manifest
) -> None:
    served = served_on("1", delivery, as_argo_cd)
    delivery.cluster.apply(task)
    until(lambda: waiting(served) == {"task"}, "the task waits for its half a CPU")
    three = {"minReplicas": 3, "maxReplicas": 3}
    served.account.apply(changed(served.manifest("InferenceService", "scoring-v1"), **three))
    until(lambda: len(waiting(served)) == 2, "the third replica waits as well, behind the task")
    served.account.apply(with_cpus(queue_of(served), "1500m"))
    until(lambda: len(running(served)) == 3, "the replica runs")
    assert waiting(served) == {"task"}
    served.account.apply(with_cpus(queue_of(served), "2"))
    until(lambda: not waiting(served), "the task runs too")


@pytest.mark.parametrize(("cpus", "surge"), [("1", 0), ("1500m", 1)])
def test_pods_are_replaced_within_the_quota(cpus: str, surge: int, delivery: Delivery, as_argo_cd: Connect) -> None:
    """The strategy that is rendered is one that Kueue lets through: with maxSurge 1 a full queue would never move."""
    served = served_on(cpus, delivery, as_argo_cd)
    manifest = served.manifest("InferenceService", "scoring-v1")
    assert manifest["spec"]["predictor"]["deploymentStrategy"]["rollingUpdate"]["maxSurge"] == surge
    before, model = running(served), manifest["spec"]["predictor"]["model"]
    other = {**model, "storageUri": f"{model['storageUri'].rstrip('/')}-other/"}
    served.account.apply(changed(manifest, model=other))
    until(lambda: len(running(served)) == 2 and not running(served) & before, "both pods are others")
    assert not waiting(served)


@pytest.mark.parametrize(("cpus", "suspended"), [("1", True), ("4", False)])
def test_a_training_job_waits_for_all_its_nodes(
    cpus: str, suspended: bool, delivery: Delivery, as_argo_cd: Connect
) -> None:
    """Two nodes of one CPU each, beside the one CPU that is served."""
    served = served_on(cpus, delivery, as_argo_cd)
    job = served.manifest("TrainJob", "linear-1")
    until(lambda: _is(served.account.stored(job), suspended=suspended), "Kueue has decided about the job")
    used: dict[str, Any] = {"cpu": "1" if suspended else "3", "memory": "3Gi" if suspended else "5Gi"}
    until(lambda: usage(served) == used, f"{used} is used")


def _is(job: Manifest | None, *, suspended: bool) -> bool:
    return job is not None and job["spec"].get("suspend") is suspended


def test_kueue_and_kserve_do_not_take_turns(delivery: Delivery, as_argo_cd: Connect) -> None:
    """Both change Deployments on their way in; each would undo what it does not know."""
    served = served_on("1", delivery, as_argo_cd)
    before = served.deployment(PREDICTOR)
    assert before["spec"]["template"]["metadata"]["annotations"]["kueue.x-k8s.io/pod-suspending-parent"] == "deployment"
    manifest = copy.deepcopy(served.manifest("InferenceService", "scoring-v1"))
    served.account.apply(changed(manifest, maxReplicas=3))
    until(lambda: _most(served) == 3, "KServe has reconciled it again")
    after = served.deployment(PREDICTOR)
    assert after["spec"]["template"] == before["spec"]["template"]


def _most(served: Served) -> int:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": PREDICTOR, "namespace": NAMESPACE},
    }
    stored = served.account.stored(scaler)
    return int(stored["spec"]["maxReplicas"]) if stored else 0
