"""Strict validation of manifests against CustomResourceDefinitions.

Stricter than an API server, which prunes: a field that the definition does not know is a complaint. Built-in kinds
have no definition and are not looked at; `CrdSet.knows` tells. What the schemas do not hold is in
`renderers.semantics`; rules in CEL (x-kubernetes-validations) and the uniqueness of a list's keys are left to the
API server.

The translation follows the structural schemas of apiextensions.k8s.io/v1: only the schema outside of allOf, anyOf,
oneOf and not says which fields there are, and an object without `properties` has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import yaml
from jsonschema_rs import Draft7Validator, ValidationError, ValidationErrorKind

from intents.composing import LONGEST_MESSAGE, shortened
from intents.documents import dotted
from intents.hints import did_you_mean

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema, or an OpenAPI v3 one."""
GroupVersionKind: TypeAlias = tuple[str, str]
"""`apiVersion` and `kind`, as manifests write them."""


class NoDefinition(ValueError):
    """The text is YAML, but no CustomResourceDefinition of apiextensions.k8s.io/v1."""


@dataclass(frozen=True)
class Complaint:
    """One thing that a definition has against a manifest."""

    location: tuple[str | int, ...]
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{dotted(self.location)}: " if self.location else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


@dataclass(frozen=True)
class Definition:
    """One served version of a CustomResourceDefinition."""

    schema: Schema
    """As it was published."""

    @cached_property
    def validator(self) -> Draft7Validator:
        """The schema, made strict and compiled when it is first asked for: most of a folder's never are."""
        return Draft7Validator(strict(self.schema))


@dataclass(frozen=True)
class CrdSet:
    """CustomResourceDefinitions by what they define."""

    definitions: Mapping[GroupVersionKind, Definition]

    @classmethod
    def load(cls, documents: Iterable[bytes]) -> CrdSet:
        """Read YAML files of one or more definitions each; other objects in them are passed over.

        Raises NoDefinition for what is no YAML and for a definition that cannot be read as one.
        """
        found: dict[GroupVersionKind, Definition] = {}
        for body in documents:
            for document in _objects(body):
                found.update(_definitions(document))
        return cls(found)

    def knows(self, manifest: Mapping[str, Any]) -> bool:
        """Whether the manifest's kind is defined here."""
        return _kind_of(manifest) in self.definitions

    def complaints(self, manifest: Mapping[str, Any]) -> tuple[Complaint, ...]:
        """Return what the definition of the manifest's kind has against it.

        Nothing where there is none, but for a kind or version that is missing in a group defined here.
        """
        definition = self.definitions.get(_kind_of(manifest))
        if definition is None:
            return tuple(self._unknown(*_kind_of(manifest)))
        found = [each for error in definition.validator.iter_errors(manifest) for each in _told(error, definition)]
        return tuple(sorted(found, key=str))

    def _unknown(self, version: str, kind: str) -> Iterator[Complaint]:
        group = version.partition("/")[0]
        here = {each: known for known, each in self.definitions if known.partition("/")[0] == group}
        if kind in here:
            yield Complaint(("apiVersion",), f"no {kind} is served in version {version}", f"write {here[kind]}")
        elif here:
            yield Complaint(("kind",), f"{group} defines no kind {kind}", did_you_mean(kind, here))


def strict(schema: Schema) -> Schema:
    """Turn the OpenAPI v3 schema of a custom resource into a JSON Schema that refuses unknown fields."""
    closed = _closed(schema)
    # The definition leaves these to the API server.
    closed["properties"] = closed.get("properties", {}) | _TYPE_META | {"metadata": _OBJECT_META}
    closed["required"] = sorted({*closed.get("required", ()), "apiVersion", "kind", "metadata"})
    return closed


_NAME = {"type": "string", "minLength": 1, "maxLength": 253, "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
_LABEL_VALUE = {"type": "string", "maxLength": 63, "pattern": r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"}
_TYPE_META: Schema = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
_OBJECT_META: Schema = {
    "type": "object",
    "properties": {
        "name": _NAME,
        "generateName": {"type": "string"},
        "namespace": {**_NAME, "maxLength": 63, "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "labels": {"type": "object", "additionalProperties": _LABEL_VALUE},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array", "items": {"type": "object"}},
        # What only the server writes is there in manifests that were read back from one.
        "creationTimestamp": {},
        "deletionGracePeriodSeconds": {},
        "deletionTimestamp": {},
        "generation": {},
        "managedFields": {},
        "resourceVersion": {},
        "selfLink": {},
        "uid": {},
    },
    "additionalProperties": False,
}
"""k8s.io/apimachinery ObjectMeta and its validation."""

_SCHEMAS = ("items", "additionalProperties")
_DROPPED = frozenset({"description", "example", "default", "format"})
"""Of no use to a validator; descriptions are most of a definition's text."""


def _closed(schema: Schema) -> Schema:
    closed = {key: _inner(key, value) for key, value in schema.items() if key not in _DROPPED}
    if _has_known_fields_only(schema):
        # Without `properties` beside it, jsonschema-rs names no field that it refuses.
        closed |= {"properties": closed.get("properties", {}), "additionalProperties": False}
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    if schema.get("x-kubernetes-list-type") == "set":
        closed["uniqueItems"] = True
    if schema.get("nullable") and isinstance(closed.get("type"), str):
        closed["type"] = [closed["type"], "null"]
    return closed


def _inner(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: _closed(each) for name, each in value.items()}
    return _closed(value) if key in _SCHEMAS and isinstance(value, dict) else value


def _has_known_fields_only(schema: Schema) -> bool:
    is_object = schema.get("type") == "object" or "properties" in schema
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    return is_object and not is_open


def _objects(body: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        documents = list(yaml.load_all(body, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise NoDefinition(f"not YAML: {error}") from error
    for document in documents:
        if isinstance(document, dict):
            yield from document["items"] if document.get("kind") == "List" else [document]


def _definitions(document: Mapping[str, Any]) -> Iterator[tuple[GroupVersionKind, Definition]]:
    if document.get("kind") != "CustomResourceDefinition":
        return
    try:
        group, kind = document["spec"]["group"], document["spec"]["names"]["kind"]
        for version in document["spec"]["versions"]:
            if version.get("served", True):
                schema = version["schema"]["openAPIV3Schema"]
                yield (f"{group}/{version['name']}", kind), Definition(schema)
    except (KeyError, TypeError, AttributeError) as error:
        raise NoDefinition(f"no CustomResourceDefinition of apiextensions.k8s.io/v1: {error} is missing") from error


def _kind_of(manifest: Mapping[str, Any]) -> GroupVersionKind:
    return str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))


def _told(error: ValidationError, definition: Definition) -> Iterator[Complaint]:
    location = tuple(error.instance_path)
    match error.kind:
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            known = _fields_at(definition.schema, location)
            for name in names:
                yield Complaint((*location, name), "unknown field", did_you_mean(name, known))
        case _:
            yield Complaint(location, shortened(error.message, LONGEST_MESSAGE))


def _fields_at(schema: Schema, location: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the fields that a definition knows at a location."""
    if location[:1] == ("metadata",):
        schema = {"properties": {"metadata": _OBJECT_META}}
    for part in location:
        inner = schema.get("properties", {}).get(part) or schema.get("additionalProperties") or {}
        schema = schema.get("items", {}) if isinstance(part, int) else inner
        if not isinstance(schema, dict):
            return ()
    return tuple(schema.get("properties", ()))
