"""Where the platform's bytes lie in object storage."""

from __future__ import annotations

MODELS = "models"
"""The bucket of registered models: create-only."""
ARTIFACTS = "artifacts"
"""The bucket of what runs and training jobs put out."""


def model_uri(tenant: str, project: str, model: str, digest: str) -> str:
    """Return where the bytes of a model version lie, by their digest."""
    return f"s3://{MODELS}/{tenant}/{project}/{model}/{digest.removeprefix('sha256:')}/"


def artifacts_uri(tenant: str, project: str, *parts: str) -> str:
    """Return where outputs of a project lie."""
    return "/".join((f"s3://{ARTIFACTS}", tenant, project, *parts))
