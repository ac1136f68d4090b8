"""Manifests as bytes: the same for the same manifest, in any order and process."""

from __future__ import annotations

from typing import Any, TypeAlias

from intents.writing import to_yaml as _to_yaml

Manifest: TypeAlias = dict[str, Any]
"""One Kubernetes object, in the form the API server stores."""


def to_yaml(manifest: Manifest) -> bytes:
    """Write a manifest with sorted keys, in block style."""
    return _to_yaml(manifest, sort_keys=True)
