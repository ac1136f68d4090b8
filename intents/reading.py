"""From bytes to a Document, or to every problem the document has by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from intents.catalogue import CATALOGUE
from intents.composing import LONGEST_MESSAGE, Composed, Location, compose, shortened
from intents.documents import Document, dotted
from intents.fast_yaml import fast_value
from intents.hints import did_you_mean, nearest
from intents.identity import Identity, identify, misplaced
from intents.kinds import SPECS, Envelope, Kind, Spec
from intents.problems import MOST_PROBLEMS, InvalidIntent, Problem, first_of

__all__ = ["ENVELOPES", "Document", "labels_of", "read"]

ENVELOPES: dict[Kind, type[Envelope[Any]]] = {
    kind: Envelope[spec]  # type: ignore[valid-type]
    for kind, spec in SPECS.items()
}


def read(path: str, body: bytes, blob: str = "") -> Document[Spec]:
    """Read the intent at `path`. Raises InvalidIntent with every problem of the document."""
    identity = identify(path)
    if identity is None:
        raise InvalidIntent([misplaced(path) or Problem("misplaced-file", path, 0, 0, "this is no intent")])
    return read_as(identity, path, body, blob)


def read_as(identity: Identity, path: str, body: bytes, blob: str) -> Document[Spec]:
    """Read the intent at `path`, which is that of `identity`. Raises InvalidIntent as `read` does."""
    envelope = _read_fast(identity, body) or _read_thoroughly(identity, path, body)
    metadata = envelope.metadata
    return Document(path, identity, envelope.spec, blob, body, metadata.labels, metadata.annotations)


def labels_of(path: str, body: bytes) -> Mapping[str, str]:
    """Return the labels of the intent at `path`; none for what is no valid intent."""
    try:
        return read(path, body).labels
    except InvalidIntent:
        return {}


def _read_fast(identity: Identity, body: bytes) -> Envelope[Any] | None:
    """Read a plain document without any problem; None says nothing about the others."""
    value = fast_value(body)
    if value is None:
        return None
    try:
        envelope = ENVELOPES[identity.kind].model_validate(value, by_alias=True, by_name=False)
    except ValidationError:
        return None
    return envelope if envelope.kind is identity.kind else None


def _read_thoroughly(identity: Identity, path: str, body: bytes) -> Envelope[Any]:
    """Read any document. Raises InvalidIntent with every problem, each at its place."""
    envelope, problems = _validate(identity, path, compose(body))
    if problems or envelope is None:
        raise InvalidIntent(first_of(path, sorted(problems, key=lambda each: (each.line, each.column))))
    return envelope


def _validate(identity: Identity, path: str, composed: Composed) -> tuple[Envelope[Any] | None, list[Problem]]:
    problems = [
        Problem(found.code, path, *found.place, found.message, found.hint, field=dotted(found.location))
        for found in composed.findings
    ]
    if composed.value is None:
        return None, problems or [Problem("empty-document", path, 1, 1, "the document is empty")]
    model = ENVELOPES[identity.kind]
    try:
        envelope = model.model_validate(composed.value, by_alias=True, by_name=False)
    except ValidationError as error:
        details = _without_echoes(error.errors(include_url=False), {found.location for found in composed.findings})
        problems += [_problem(model, path, composed, each) for each in details[: MOST_PROBLEMS + 1]]
        return None, problems
    if envelope.kind is not identity.kind:
        problems.append(_wrong_kind(identity, path, composed, envelope.kind))
    return envelope, problems


def _without_echoes(details: list[ErrorDetails], told: set[Location]) -> list[ErrorDetails]:
    """Leave out what was told about the YAML, and lists that are too short only because items are wrong."""
    parents = {each["loc"][:end] for each in details for end in range(len(each["loc"]))}
    return [
        each
        for each in details
        if each["loc"] not in told and not (each["type"] == "too_short" and each["loc"] in parents)
    ]


def _wrong_kind(identity: Identity, path: str, composed: Composed, found: Kind) -> Problem:
    message = f"a {found} cannot lie here: this is the path of a {identity.kind}"
    place = composed.place(("kind",))
    return Problem("kind-mismatch", path, *place, message, f"kind: {identity.kind}", field="kind")


# pydantic's error types: https://docs.pydantic.dev/latest/errors/validation_errors/
_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "uuid_type": "a UUID",
}
_RANGES = frozenset({"greater_than_equal", "less_than_equal", "string_too_short", "string_too_long"})


def _problem(model: type[BaseModel], path: str, composed: Composed, error: ErrorDetails) -> Problem:
    location: Location = error["loc"]
    code, message, hint = _explain(model, error)
    message = shortened(message, LONGEST_MESSAGE)
    line, column = composed.place(location, key=code == "unknown-field")
    return Problem(code, path, line, column, message, hint, field=dotted(location))


def _explain(model: type[BaseModel], error: ErrorDetails) -> tuple[str, str, str]:
    """Return code, message and hint for one of pydantic's errors."""
    kind, location, context = error["type"], error["loc"], error.get("ctx", {})
    name = _name(location)
    if kind in CATALOGUE:
        return kind, f"`{name}`: {context['message']}", str(context["hint"])
    if kind == "extra_forbidden":
        hint = nearest(name, _fields(model, location[:-1]), "fields here")
        return "unknown-field", f"`{name}` is no field here", hint
    if kind == "missing":
        return "missing-field", f"`{name}` is missing", ""
    return _explain_value(kind, name, error)


def _name(location: Location) -> str:
    """Return what people call a place: an item with its list. Behind the key of an entry pydantic puts `[key]`."""
    *around, last = location or ("document",)
    if around and last == _KEY:
        return f"{around[-1]}"
    return f"{around[-1]}.{last}" if around and isinstance(last, int) else f"{last}"


_KEY = "[key]"


def _explain_value(kind: str, name: str, error: ErrorDetails) -> tuple[str, str, str]:
    if kind in _WANTED:
        return "wrong-type", f"`{name}` must be {_WANTED[kind]}, not {_found(error['input'])}", ""
    if kind in {"enum", "literal_error"}:
        return "invalid-value", _not_one_of(name, error), _choice(error)
    if kind == "too_short":
        return "out-of-range", f"`{name}` needs at least {error['ctx']['min_length']} entry", ""
    if kind == "too_long":
        found, most = error["ctx"]["actual_length"], error["ctx"]["max_length"]
        return "out-of-range", f"`{name}` has {found} entries; at most {most} are taken", ""
    code = "out-of-range" if kind in _RANGES else "invalid-value"
    return code, f"`{name}`: {_lower(error['msg'])}", ""


def _not_one_of(name: str, error: ErrorDetails) -> str:
    return f"`{name}` cannot be {_found(error['input'])}: {error['ctx']['expected']}"


def _choice(error: ErrorDetails) -> str:
    expected = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
    return did_you_mean(str(error["input"]), expected)


def _found(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{shortened(value)}"'
        case list():
            return "a list"
    return "a mapping"


def _fields(model: type[BaseModel], location: Location) -> list[str]:
    """Return the names a mapping at `location` may hold."""
    for part in location:
        inner = _model_at(model, part)
        if inner is None:
            return []
        model = inner
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_at(model: type[BaseModel], part: str | int) -> type[BaseModel] | None:
    if isinstance(part, int):
        return model
    for name, info in model.model_fields.items():
        if part == (info.alias or name):
            return _first_model(info.annotation)
    return None


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_first_model(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
