"""Parameters against their template's JSON Schema, which the package's own input types stand behind.

`intents.packages` holds the schema against the package: each of its properties has the type of the package's input,
and it lets nothing else in. So what the schema takes, the package takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import jsonschema_rs
from jsonschema_rs import Draft202012Validator, ValidationError
from pydantic import JsonValue

from intents.documents import Document
from intents.hints import nearest
from intents.kinds import TemplateSpec
from intents.problems import Problem
from intents.reading import read

if TYPE_CHECKING:
    from intents.checks.asking import Asked

CLOSING = ("additionalProperties", "patternProperties", "unevaluatedProperties")
"""Keywords by which a schema says itself what becomes of parameters that it does not name."""
_SHOWN = 200
_REPLACED = re.compile(r"\$\$|\$\([^)]+\)|\{\{")
"""What does not arrive as it was written: KFP hands parameters over in a Workflow, where Argo looks for `{{…}}`, and in
the command of a container, where Kubernetes puts a variable in the place of `$(NAME)`, and `$` in that of `$$`."""
_EXACT = 2**53
"""KFP carries numbers as doubles (google.protobuf.Value): above this, whole numbers are rounded in silence."""


def schema_complaint(schema: Mapping[str, Any]) -> str | None:
    """Return why `schema` is no JSON Schema for parameters, or None."""
    try:
        _compiled(schema)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.instance_path)
        return f"{where or 'it'}: {error.message[:_SHOWN]}"
    if schema.get("type", "object") != "object":
        return "the parameters of a pipeline are an object: `type: object`"
    return None


def parameter_problems(document: Document, asked: Asked, template: Document[TemplateSpec]) -> Iterator[Problem]:
    """Yield unknown, missing and wrong parameters."""
    schema, place = template.spec.parameters, (*asked.place, "parameters")
    validator, parameters = _validator(template.path, template.body), dict(asked.parameters)
    if validator is None:
        return  # the template itself is told
    if not validator.is_valid(parameters):
        yield from _unknown(document, asked, closed(schema))
        yield from _missing(document, asked, schema)
        for error in validator.iter_errors(parameters):
            if error.instance_path or error.kind.name not in {"required", "additionalProperties"}:
                yield _wrong(document, error, place)
    for name, value in parameters.items() if template.spec.package else ():
        if _any_in(value, _is_inexact):
            message = f"`{name}` would be rounded on its way: whole numbers are exact up to 2^53"
            yield document.problem("invalid-parameter", message, *place, name, hint="give it as text")
        if _any_in(value, _is_replaced):
            message = f"`{name}` holds `$(…)`, `$$` or `{{{{`: Kubernetes or Argo would put something else there"
            yield document.problem("invalid-parameter", message, *place, name, hint="write it without")


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with unknown parameters refused, unless it says itself what to do with them."""
    return {**schema} if any(word in schema for word in CLOSING) else {**schema, "additionalProperties": False}


def _unknown(document: Document, asked: Asked, schema: Mapping[str, Any]) -> Iterator[Problem]:
    if schema.get("additionalProperties", True) is not False or "patternProperties" in schema:
        return
    known = schema.get("properties", {})
    for name in asked.parameters:
        if name not in known:
            message = f"the template has no parameter `{name}`"
            hint = nearest(name, known, "parameters")
            yield document.problem("unknown-parameter", message, *asked.place, "parameters", name, hint=hint)


def _missing(document: Document, asked: Asked, schema: Mapping[str, Any]) -> Iterator[Problem]:
    for name in schema.get("required", ()):
        if name not in asked.parameters:
            message = f"the template needs the parameter `{name}`"
            yield document.problem("missing-parameter", message, *asked.place, "parameters", name)


def _wrong(document: Document, error: ValidationError, place: tuple[str | int, ...]) -> Problem:
    name = ".".join(str(part) for part in error.instance_path) or "parameters"
    message = f"`{name}`: {error.message[:_SHOWN]}"
    return document.problem("invalid-parameter", message, *place, *error.instance_path)


def _any_in(value: JsonValue, holds: Callable[[JsonValue], bool]) -> bool:
    """Whether something holds for a value, or for a value or key inside it."""
    match value:
        case list():
            return any(_any_in(each, holds) for each in value)
        case dict():
            return any(_any_in(each, holds) for entry in value.items() for each in entry)
    return holds(value)


def _is_inexact(value: JsonValue) -> bool:
    """Whether it is a whole number too large for a double."""
    return isinstance(value, int) and not -_EXACT <= value <= _EXACT


def _is_replaced(value: JsonValue) -> bool:
    """Whether it is text of which the task would not find every character as it was written."""
    return isinstance(value, str) and _REPLACED.search(value) is not None


@lru_cache(maxsize=1024)
def _validator(path: str, body: bytes) -> Draft202012Validator | None:
    """Compile a template's schema: checking parameters against it then takes a microsecond. None for what is none."""
    spec = read(path, body).spec
    try:
        return _compiled(closed(spec.parameters) if isinstance(spec, TemplateSpec) else {})
    except ValidationError:
        return None


def _compiled(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Patterns are matched in linear time, without look-around; references outside the schema are refused."""
    options = jsonschema_rs.RegexOptions()
    return Draft202012Validator(dict(schema), pattern_options=options, retriever=_fetch_nothing)


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"{uri} lies outside the schema")
