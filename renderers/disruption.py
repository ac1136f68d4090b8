"""Pods of one version → the PodDisruptionBudget that lets a node be drained without taking the version away."""

from __future__ import annotations

from collections.abc import Mapping

from renderers.canonical import Manifest
from renderers.live import LiveDeployment


def disruption_budgets(live: LiveDeployment, name: str, selector: Mapping[str, str], most: int) -> list[Manifest]:
    """Return the budget of pods of which there are at most `most`; nothing where there is only one.

    One pod at a time may be evicted. For a single pod that would say nothing, and less would block the drain of its
    node for ever: it is evicted, and started again elsewhere. Pods that do not answer are no reason to wait.
    """
    if most == 1:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": live.namespace, "labels": live.labels},
            "spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": dict(selector)},
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }
    ]


def predictor_pods(service: str) -> dict[str, str]:
    """Return the labels that KServe gives the pods of an InferenceService's predictor."""
    return {"component": "predictor", "serving.kserve.io/inferenceservice": service}


def router_pods(graph: str) -> dict[str, str]:
    """Return the labels that KServe gives the pods of an InferenceGraph."""
    return {"serving.kserve.io/inferencegraph": graph}
