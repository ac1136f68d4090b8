"""The container that KServe puts before every model server to fetch the model, as tenants' namespaces take it.

KServe's own (`default`, 0.20) says nothing of its user or its rights, so that Pod Security's level `restricted` and the
platform's own rules refuse each pod with it. Its image stays the one of KServe's configuration.
"""

from __future__ import annotations

from collections.abc import Iterable

from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.restrictions import restricted_container
from renderers.storage import MODELS
from renderers.unit import Unit

STORAGE_CONTAINER = "ordain"
# KServe's own limits. What a pod requests is the larger of this and its server's: no server is this small, so quotas
# count what versions say and nothing else.
_LIMITS = {"cpu": "1", "memory": "1Gi"}
_REQUESTS = {"cpu": "10m", "memory": "64Mi"}


def render_storage_initializer(tree: Tree, unit: Unit) -> Iterable[Manifest]:  # noqa: ARG001 - a Renderer's signature
    """Return the cluster's ClusterStorageContainer; InferenceServices name it, and it takes registered models alone."""
    return [
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterStorageContainer",
            "metadata": {"name": STORAGE_CONTAINER},
            "spec": {
                "container": {
                    "name": "storage-initializer",
                    "resources": {"limits": _LIMITS, "requests": _REQUESTS},
                    "securityContext": restricted_container(),
                },
                "supportedUriFormats": [{"prefix": f"s3://{MODELS}/"}],
                "supportsMultiModelDownload": True,
                "workloadType": "initContainer",
            },
        }
    ]
