"""A live version → its InferenceService, in the form that the API server stores as it is written.

KServe copies an InferenceService's labels and annotations onto the pods: none may change while the version stays the
same, or its pods restart. What changes (blob ids, weights) is on the HTTPRoute. Of the spec, KServe keeps replicas
and strategy outside the pods' template (0.20, reconcilers/deployment/deployment_reconciler.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intents.kinds.rollout import LiveVersion
from renderers import marks
from renderers.access import SERVING_ACCOUNT
from renderers.canonical import Manifest
from renderers.live import LiveDeployment
from renderers.pools import amounts, placement, pool_of
from renderers.serving_runtime import RUNTIME
from renderers.storage import model_uri
from renderers.storage_initializer import STORAGE_CONTAINER


def versioned(deployment: str, version: str) -> str:
    """Return the name of the InferenceService that serves one version alone."""
    return f"{deployment}-{version}"


def predictor(service: str) -> str:
    """Return the name of the Service in front of an InferenceService's pods."""
    return f"{service}-predictor"


def local_host(live: LiveDeployment, service: str) -> str:
    """Return the full name of a Service of the deployment's namespace."""
    return f"{service}.{live.namespace}.svc.cluster.local"


def inference_service(
    live: LiveDeployment, name: str, version: LiveVersion, settings: Mapping[str, Any] | None = None
) -> Manifest:
    """Return the InferenceService `name` of a version; `settings` are further fields of its predictor."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": live.namespace,
            "labels": {**live.service_labels, marks.VERSION: version.name},
            "annotations": {
                "modelFormat": "triton",
                "serving.kserve.io/deploymentMode": live.cluster.kserve.mode.value,
                marks.MODEL: version.model_name,
                marks.MODEL_VERSION: version.model,
                marks.MODEL_DIGEST: version.digest,
            },
        },
        "spec": {"predictor": {**_predictor(live, version), **(settings or {})}},
    }


def _predictor(live: LiveDeployment, version: LiveVersion) -> Manifest:
    pool = pool_of(version.resources, live.cluster, live.rollout.path)
    uses = amounts(version.resources, pool)
    return {
        # Without it, KServe's configuration would decide; a model server has no business with the API server.
        "automountServiceAccountToken": False,
        "serviceAccountName": SERVING_ACCOUNT,
        "minReplicas": version.replicas.min,
        "maxReplicas": version.replicas.max,
        "model": {
            "name": "",
            "modelFormat": {"name": "triton"},
            "protocolVersion": "v2",
            "resources": {"limits": uses, "requests": uses},
            "runtime": RUNTIME,
            "storageUri": model_uri(live.tenant, live.project, version.model_name, version.digest),
        },
        **placement(pool),
        "storageContainerName": STORAGE_CONTAINER,
    }
