"""An A/B test that KServe is asked to divide → its InferenceGraph.

The router answers POST at `/`, chooses a version for each request at random, and posts the body to that version's
address (0.20, cmd/router/main.go). So it takes inferences and nothing else, and who is to stay with one version is
told apart before it, at the edge.
"""

from __future__ import annotations

from intents.usage import ROUTER
from renderers.access import SERVING_ACCOUNT
from renderers.canonical import Manifest
from renderers.kserve import local_host, predictor, versioned
from renderers.live import LiveDeployment
from renderers.pools import amounts

PATH = "/"


def graph_name(live: LiveDeployment) -> str:
    """Return the graph's name; `--` is in no deployment's or version's, so it is no InferenceService's."""
    return f"{live.name}--ab"


def inference_graph(live: LiveDeployment) -> Manifest:
    """Return the graph that divides inferences by the Rollout's weights."""
    uses = amounts(ROUTER, None)
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {
            "name": graph_name(live),
            "namespace": live.namespace,
            "labels": live.service_labels,
            "annotations": {"serving.kserve.io/deploymentMode": live.cluster.kserve.mode.value},
        },
        "spec": {
            "minReplicas": max(each.replicas.min for each in live.versions),
            "maxReplicas": live.most_replicas,
            "nodes": {"root": {"routerType": "Splitter", "steps": _steps(live)}},
            "resources": {"limits": uses, "requests": uses},
            "serviceAccountName": SERVING_ACCOUNT,
        },
    }


def _steps(live: LiveDeployment) -> list[Manifest]:
    path = f"/v2/models/{live.model}/infer"
    hosts = {each.name: local_host(live, predictor(versioned(live.name, each.name))) for each in live.versions}
    return [
        {"name": each.name, "serviceUrl": f"http://{hosts[each.name]}{path}", "weight": each.weight}
        for each in live.versions
    ]
