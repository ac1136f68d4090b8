"""A live version of a Rollout → a KServe InferenceService in Standard mode."""

from __future__ import annotations

from intents.identity import namespace
from intents.kinds.rollout import LiveVersion
from renderers import marks
from renderers.canonical import Manifest

BUCKET = "models"
RUNTIME = "kserve-tritonserver"


def service_name(deployment: str, version: str) -> str:
    """Return the name of the InferenceService of one version."""
    return f"{deployment}-{version}"


def storage_uri(tenant: str, project: str, version: LiveVersion) -> str:
    """Return where the model's bytes lie: create-only, by digest."""
    return f"s3://{BUCKET}/{tenant}/{project}/{version.model_name}/{version.digest.removeprefix('sha256:')}/"


def inference_service(tenant: str, project: str, deployment: str, version: LiveVersion) -> Manifest:
    """Return the InferenceService of one version, in the form the API server stores as it is written.

    KServe copies labels and annotations onto the pods: nothing here may change while the version stays the
    same, or its pods restart. What changes (blob ids, weights) is on the HTTPRoute.
    """
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": service_name(deployment, version.name),
            "namespace": namespace(tenant, project),
            "labels": {
                marks.TENANT: tenant,
                marks.PROJECT: project,
                marks.DEPLOYMENT: deployment,
                marks.VERSION: version.name,
                # KServe's own HTTPRoutes would go around the edge.
                "networking.kserve.io/visibility": "cluster-local",
            },
            "annotations": {
                "modelFormat": "triton",
                "serving.kserve.io/deploymentMode": "Standard",
                marks.MODEL: version.model_name,
                marks.MODEL_VERSION: version.model,
                marks.MODEL_DIGEST: version.digest,
            },
        },
        "spec": {"predictor": _predictor(tenant, project, version)},
    }


def _predictor(tenant: str, project: str, version: LiveVersion) -> Manifest:
    resources = {"cpu": version.resources.cpus, "memory": version.resources.memory}
    return {
        "minReplicas": version.replicas.min,
        "maxReplicas": version.replicas.max,
        "model": {
            "name": "",
            "modelFormat": {"name": "triton"},
            "protocolVersion": "v2",
            "resources": {"limits": dict(resources), "requests": dict(resources)},
            "runtime": RUNTIME,
            "storageUri": storage_uri(tenant, project, version),
        },
    }
