"""Labels and annotations that rendered manifests carry."""

from __future__ import annotations

CLUSTER = "ordain.dev/cluster"
TENANT = "ordain.dev/tenant"
PROJECT = "ordain.dev/project"
DEPLOYMENT = "ordain.dev/deployment"
VERSION = "ordain.dev/version"
ROUTES = "ordain.dev/routes"
"""On namespaces: the listener of the Gateway that takes routes from them."""

MODEL = "ordain.dev/model"
MODEL_VERSION = "ordain.dev/model-version"
MODEL_DIGEST = "ordain.dev/model-digest"
INTENT_BLOB = "ordain.dev/intent-blob"
ROLLOUT_BLOB = "ordain.dev/rollout-blob"
