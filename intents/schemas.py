"""JSON Schemas of the kinds: for editors, for `ordain explain` and for the reference."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from intents.kinds import SPECS, Kind, Spec
from intents.reading import ENVELOPES

IMMUTABLE = "x-ordain-immutable"
"""Keyword of a field that cannot change once its intent is committed."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def file_name(kind: Kind) -> str:
    """Return the schema's file name: `model-version.json`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.value).lower() + ".json"


def export() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each kind's documents by file name."""
    return {file_name(kind): schema(kind) for kind in SPECS}


def rendered(value: Mapping[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@cache
def schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema of a kind's documents: every field has a description."""
    spec = SPECS[kind]
    made = ENVELOPES[kind].model_json_schema(by_alias=True, schema_generator=_Documented)
    made["properties"]["kind"] = {"const": kind.value, "description": made["properties"]["kind"]["description"]}
    made["$defs"].pop("Kind", None)
    made["properties"]["spec"]["description"] = "What is asked."
    _describe_by_type(made)
    _mark_immutable(made, spec)
    return {"$schema": _DIALECT, **made, "title": kind.value, "description": inspect.cleandoc(spec.__doc__ or "")}


class _Documented(GenerateJsonSchema):
    """Describes fields by the docstrings below them.

    pydantic's own `use_attribute_docstrings` reads every class's source when the class is made: 0.1 s more for
    each start of a process, where only those that print a schema need it.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        docstrings = _field_docstrings(model)
        for name, field in model.model_fields.items():
            if name in docstrings:
                made["properties"][field.alias or name]["description"] = docstrings[name]
        return made


def _field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if each.__module__.startswith("intents."):
            found |= _docstrings_of_module(each.__module__).get(each.__name__, {})
    return found


@cache
def _docstrings_of_module(name: str) -> dict[str, dict[str, str]]:
    """Return the docstring below each field of each class of a module."""
    parsed = ast.parse(inspect.getsource(sys.modules[name]))
    return {each.name: dict(_docstrings(each.body)) for each in parsed.body if isinstance(each, ast.ClassDef)}


def _docstrings(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                yield name, inspect.cleandoc(text)


def _describe_by_type(made: dict[str, Any]) -> None:
    """Give a field without a description that of its type, because editors show no other."""
    for model in (made, *made["$defs"].values()):
        for field in model.get("properties", {}).values():
            reference = next(references(field), None)
            if "description" not in field and reference is not None:
                field["description"] = definition(made, reference)["description"]


def references(field: Any) -> Iterator[str]:
    """Yield every `$ref` in a schema, outermost first."""
    if isinstance(field, Mapping):
        if "$ref" in field:
            yield field["$ref"]
        for inner in field.values():
            yield from references(inner)
    elif isinstance(field, list):
        for inner in field:
            yield from references(inner)


def definition(made: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return what a `$ref` of the schema stands for."""
    found: dict[str, Any] = made["$defs"][reference.removeprefix("#/$defs/")]
    return found


def _mark_immutable(made: dict[str, Any], spec: type[Spec]) -> None:
    fields = definition(made, made["properties"]["spec"]["$ref"])["properties"]
    for name, field in spec.model_fields.items():
        if name not in spec.MUTABLE:
            fields[field.alias or name][IMMUTABLE] = True
