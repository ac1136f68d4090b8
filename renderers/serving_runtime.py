"""The ServingRuntime of all model servers: Triton with everything stated that its defaults leave open.

KServe's own `kserve-tritonserver` (0.20) opens gRPC and, to whoever reaches a pod, shared memory, tracing and logging;
its Triton (23.05) is too old to restrict them.
"""

from __future__ import annotations

from collections.abc import Iterable

from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.restrictions import restricted_container
from renderers.site import SERVER_KEY_HEADER
from renderers.unit import Unit

RUNTIME = "ordain-triton"
# Release 24.10 is Triton 2.51, the version that serves on one machine.
IMAGE = "nvcr.io/nvidia/tritonserver:24.10-py3"
HTTP_PORT, METRICS_PORT = 8080, 8002
# The names of Triton's docs/customization_guide/inference_protocols.md, "Limit Endpoint Access".
_RESTRICTED = "model-repository,shared-memory,trace,logging"
# Nobody may call what is restricted, so each server makes up a secret of its own that nobody gets to know.
_WITH_SECRET = (
    "read -r secret < /proc/sys/kernel/random/uuid && "
    f'exec "$0" "--http-restricted-api={_RESTRICTED}:{SERVER_KEY_HEADER.lower()}=$secret" "$@"'
)


def render_serving_runtime(tree: Tree, unit: Unit) -> Iterable[Manifest]:  # noqa: ARG001 - a Renderer's signature
    """Return the cluster's ServingRuntime; it is found by its name alone, never chosen for a model format."""
    return [
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterServingRuntime",
            "metadata": {"name": RUNTIME, "annotations": {"serving.kserve.io/server-type": "tritonserver"}},
            "spec": {
                "annotations": {
                    "prometheus.kserve.io/path": "/metrics",
                    "prometheus.kserve.io/port": str(METRICS_PORT),
                },
                "containers": [_container()],
                "protocolVersions": ["v2"],
                "supportedModelFormats": [{"name": "triton", "version": "2", "autoSelect": False}],
            },
        }
    ]


def _container() -> Manifest:
    return {
        "name": "kserve-container",
        "image": IMAGE,
        "args": ["/bin/sh", "-c", _WITH_SECRET, "tritonserver", *_options()],
        "ports": [{"containerPort": HTTP_PORT, "name": "http1", "protocol": "TCP"}],
        # Ready is more than listening: every model of the repository is loaded.
        "readinessProbe": {
            "httpGet": {"path": "/v2/health/ready", "port": HTTP_PORT, "scheme": "HTTP"},
            "failureThreshold": 3,
            "periodSeconds": 5,
            "successThreshold": 1,
            "timeoutSeconds": 2,
        },
        "securityContext": restricted_container(),
    }


def _options() -> list[str]:
    return [
        "--model-repository=/mnt/models",
        # Models are those there at the start; in this mode the repository API loads nothing.
        "--model-control-mode=none",
        "--strict-readiness=true",
        "--allow-http=true",
        f"--http-port={HTTP_PORT}",
        "--allow-grpc=false",
        "--allow-metrics=true",
        f"--metrics-port={METRICS_PORT}",
    ]
