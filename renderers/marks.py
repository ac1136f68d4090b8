"""Labels and annotations that rendered manifests carry."""

from __future__ import annotations

CLUSTER = "ordain.dev/cluster"
TENANT = "ordain.dev/tenant"
PROJECT = "ordain.dev/project"
DEPLOYMENT = "ordain.dev/deployment"
VERSION = "ordain.dev/version"
RUN = "ordain.dev/run"
TRAINING_JOB = "ordain.dev/training-job"
ATTEMPT = "ordain.dev/attempt"
ROUTES = "ordain.dev/routes"
"""On namespaces: the listener of the Gateway that takes routes from them."""
QUEUE = "kueue.x-k8s.io/queue-name"
"""Kueue's own: the LocalQueue through which a workload uses its tenant's quota."""

MODEL = "ordain.dev/model"
MODEL_VERSION = "ordain.dev/model-version"
MODEL_DIGEST = "ordain.dev/model-digest"
TEMPLATE = "ordain.dev/template"
INTENT_BLOB = "ordain.dev/intent-blob"
ROLLOUT_BLOB = "ordain.dev/rollout-blob"
