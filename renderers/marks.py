"""Labels and annotations that rendered manifests carry."""

from __future__ import annotations

TENANT = "ordain.dev/tenant"
PROJECT = "ordain.dev/project"
DEPLOYMENT = "ordain.dev/deployment"
VERSION = "ordain.dev/version"

MODEL = "ordain.dev/model"
MODEL_VERSION = "ordain.dev/model-version"
MODEL_DIGEST = "ordain.dev/model-digest"
INTENT_BLOB = "ordain.dev/intent-blob"
ROLLOUT_BLOB = "ordain.dev/rollout-blob"
