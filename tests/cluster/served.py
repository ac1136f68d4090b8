"""A deployment in use on a real cluster: a fenced namespace, every rule enforced, two versions, a graph, GPUs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intents.tree import Tree
from renderers.rendering import render_cluster
from tests.fixtures.serving import POOL
from tests.fixtures.tenancy import full_specs
from tests.fixtures.trees import CLUSTER, DEPLOYMENT, FRAUD, PLATFORM, ROLLOUT, V1, V2, tree_of
from tests.support.clusters import Cluster, Manifest, until
from tests.support.deliveries import Branch, Delivery

ARGO_CD = "gitops"
NAMESPACE = "acme--fraud"
OURS = "ordain.dev/deployment=scoring"
ON_GPU = {**V2, "resources": {"cpus": 1, "memory": "2Gi", "gpus": {"nvidia-l4": 1}}}
SERVED = ("scoring-v1-predictor", "scoring-v2-predictor", "scoring--ab")
"""The Deployments that KServe makes of it."""


def served_tree(**quota: Any) -> Tree:
    """Return a tree in which `scoring` divides its traffic between v1 and v2, the second on GPUs."""
    specs = full_specs()
    versions = [V1, ON_GPU]
    live = [{**version, "weight": weight} for version, weight in zip(versions, (60, 40), strict=True)]
    specs[PLATFORM]["images"] = {"allow": ["nvcr.io/nvidia/tritonserver", "python"]}
    specs[CLUSTER]["gpuPools"] = [POOL]
    specs[FRAUD]["quota"] = {"cpus": 32, "gpus": {"nvidia-l4": 4}, **quota}
    graph = {"split": {"v1": 60, "v2": 40}, "splitter": "inferenceGraph"}
    specs[DEPLOYMENT] |= {"versions": versions, "traffic": {"ab": graph}}
    specs[ROLLOUT] = {"of": "0" * 40, "live": live, "step": 1}
    return tree_of(specs)


@dataclass(frozen=True)
class Served:
    """What is applied, and the cluster it is applied to, as Argo CD sees it."""

    branch: Branch
    account: Cluster

    def manifest(self, kind: str, name: str) -> Manifest:
        """Return what was rendered."""
        (found,) = [
            each
            for each in self.branch.values()
            if each["kind"] == kind and each["metadata"]["name"] == name and _is_here(each)
        ]
        return found

    def deployment(self, name: str) -> Manifest:
        """Return what KServe made."""
        found = self.account.stored(_named("apps/v1", "Deployment", name))
        assert found is not None, name
        return found

    def service(self, name: str) -> Manifest:
        """Return what KServe made."""
        found = self.account.stored(_named("v1", "Service", name))
        assert found is not None, name
        return found

    def pods(self, selector: str = OURS) -> list[Manifest]:
        """Return the pods of the namespace that a selector selects, without those that are going."""
        found = self.account.listed("v1", "Pod", NAMESPACE, selector)
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def pods_of(self, deployment: Manifest) -> list[Manifest]:
        """Return the pods of a Deployment."""
        return self.pods(selector_of(deployment["spec"]["selector"]["matchLabels"]))


def deliver(delivery: Delivery, account: Cluster, tree: Tree, available: Sequence[str] = SERVED) -> Served:
    """Apply all of a tree, with the Secrets that people bring, and wait until these Deployments are available."""
    branch = render_cluster(tree, "local")
    fences = {path: each for path, each in branch.items() if path.startswith("platform/")}
    _all_taken(delivery.sync(fences, account))
    delivery.cluster.apply(_object_store())
    until(lambda: "type of GPU" in delivery.cluster.refusal(_homeless_pod()), "the policies are enforced")
    _all_taken(delivery.sync(branch, account))
    served = Served(branch, account)
    until(lambda: all(_is_available(served, name) for name in available), f"{available} are available")
    return served


def _all_taken(refusals: list[str]) -> None:
    assert not refusals, refusals


def gpu_node() -> Manifest:
    """Return a simulated node of the pool, where nothing else may run."""
    much = {"cpu": "64", "memory": "512Gi", "pods": "250", "nvidia.com/gpu": "4"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "ordain-test-gpu",
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"type": "kwok", **POOL["nodeSelector"]},  # type: ignore[dict-item]
        },
        "spec": {
            "taints": [
                {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},
                {"key": "tenants", "value": "ml", "effect": "NoSchedule"},
            ]
        },
        "status": {"allocatable": much, "capacity": much},
    }


def restricted_pod(name: str, amounts: dict[str, str], labels: Mapping[str, str] | None = None) -> Manifest:
    """Return a pod that Pod Security's level `restricted` takes."""
    container = {
        "name": "one",
        "image": "docker.io/library/python:3.11",
        "resources": {"limits": amounts, "requests": amounts},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod = _named("v1", "Pod", name)
    pod["metadata"]["labels"] = dict(labels or {})
    return {**pod, "spec": {"containers": [container]}}


def changed(manifest: Manifest, **predictor: Any) -> Manifest:
    """Return an InferenceService with other fields of its predictor."""
    other = copy.deepcopy(manifest)
    other["spec"]["predictor"] |= predictor
    return other


def selector_of(labels: dict[str, str]) -> str:
    """Return labels as a selector."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def names_of(objects: list[Manifest]) -> set[str]:
    """Return their names."""
    return {each["metadata"]["name"] for each in objects}


def containers_of(pod: Manifest) -> Iterator[Manifest]:
    """Yield a pod's containers, those before the start included."""
    yield from (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])


def _is_here(manifest: Manifest) -> bool:
    return manifest["metadata"].get("namespace") in {NAMESPACE, None}


def _is_available(served: Served, name: str) -> bool:
    deployment = served.account.stored(_named("apps/v1", "Deployment", name)) or {}
    status = deployment.get("status", {})
    return bool(deployment) and status.get("availableReplicas", 0) >= deployment["spec"]["replicas"]


def _named(api_version: str, kind: str, name: str) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}


def _object_store() -> Manifest:
    keys = {"AWS_ACCESS_KEY_ID": "throw-away", "AWS_SECRET_ACCESS_KEY": "throw-away"}
    return {**_named("v1", "Secret", "s3-keys"), "stringData": keys}


def _homeless_pod() -> Manifest:
    """Return a pod that nothing is wrong with but that it asks for a GPU of no pool."""
    return restricted_pod("homeless", {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"})
