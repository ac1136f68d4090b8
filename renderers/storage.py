"""Where the platform's bytes lie in object storage."""

from __future__ import annotations

ARTIFACTS = "artifacts"
"""The bucket of what runs and training jobs put out."""


def artifacts_uri(tenant: str, project: str, *parts: str) -> str:
    """Return where outputs of a project lie."""
    return "/".join((f"s3://{ARTIFACTS}", tenant, project, *parts))
