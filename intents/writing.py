"""From a spec to the bytes that are committed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from intents.composing import FOREIGN_BREAKS, MAX_DEPTH
from intents.documents import Document
from intents.kinds import API_VERSION, Kind, Spec
from intents.problems import InvalidIntent, Problem
from intents.scalars import is_text


class CanonicalDumper(yaml.CSafeDumper):
    """Block style, no aliases, and quotes wherever a reader might take text for something else."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _represent_text(dumper: CanonicalDumper, text: str) -> yaml.ScalarNode:
    plain = is_text(text) and not any(mark in text for mark in FOREIGN_BREAKS)
    style = None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


CanonicalDumper.add_representer(str, _represent_text)


def to_yaml(value: object, *, sort_keys: bool) -> bytes:
    """Write plain values as YAML, the same bytes each time."""
    text: bytes = yaml.dump(
        value,
        Dumper=CanonicalDumper,
        sort_keys=sort_keys,
        default_flow_style=False,
        allow_unicode=True,
        width=2**20,
        encoding="utf-8",
    )
    return text


def dump(
    kind: Kind,
    spec: Spec | Mapping[str, Any],
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """Write an intent in canonical form: `read` gives back the same spec.

    A mapping is written as it is, right or wrong: `read` then says what is wrong with it, and where.
    Raises InvalidIntent for text that no file can hold.
    """
    document: dict[str, Any] = {"apiVersion": API_VERSION, "kind": kind.value}
    metadata = {"labels": dict(labels or {}), "annotations": dict(annotations or {})}
    if any(metadata.values()):
        document["metadata"] = {name: each for name, each in metadata.items() if each}
    document["spec"] = _plain(spec)
    return dump_document(document)


def rewrite(document: Document, spec: Spec | Mapping[str, Any]) -> bytes:
    """Write a document with another spec; labels and annotations stay, comments do not."""
    labels, annotations = document.labels, document.annotations
    return dump(document.identity.kind, spec, labels=labels, annotations=annotations)


def dump_document(document: Mapping[str, Any]) -> bytes:
    """Write a whole document as it is, right or wrong. Raises InvalidIntent for what no file can hold."""
    try:
        return to_yaml(dict(document), sort_keys=False)
    except UnicodeEncodeError as error:
        message = f"half of a UTF-16 pair is no text: {error.object[error.start : error.end]!a}"
        raise InvalidIntent([Problem("not-utf8", "", 0, 0, message)]) from error
    except RecursionError as error:
        raise InvalidIntent([Problem("too-deep", "", 0, 0, f"more than {MAX_DEPTH} levels")]) from error


def blob_id(body: bytes) -> str:
    """Return the id git gives these bytes."""
    return hashlib.sha1(b"blob %d\x00" % len(body) + body).hexdigest()  # noqa: S324 - git's format


def _plain(spec: Spec | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(spec, Spec):
        return spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict(spec)
