"""Parameters to start from: those a template needs with a value it takes, the others commented out."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from intents.explaining import limits
from intents.starting.layout import Lines, comment, yaml_lines

Schema = Mapping[str, Any]
_TEXT = "change-me"


def parameter_lines(schema: Schema) -> Lines | None:
    """Return what stands below `parameters`; None for a template without any."""
    properties = _mapping(schema.get("properties"))
    required = [name for name in properties if name in _list(schema.get("required"))]
    if not properties:
        return None
    return Lines(tuple(_lines(properties, required)), off=not required)


def _lines(properties: Schema, required: list[str]) -> Iterator[str]:
    for name in (*required, *(name for name in properties if name not in required)):
        node = _mapping(properties[name])
        yield from comment(_about(node, needed=name in required))
        off = "" if name in required else "#"
        yield from (f"{off}{line}" for line in yaml_lines(name, starting_value(node)))


def _about(node: Schema, *, needed: bool) -> str:
    """Return what a parameter is for and what it may be: `How many trees. (integer, at least 1)`."""
    kind = node.get("type", "any")
    words = (" or ".join(kind) if isinstance(kind, list) else str(kind), *limits(node))
    said = " ".join(str(node.get("description", "")).split())
    return " ".join(part for part in ("Needed." if needed else "", said, f"({', '.join(words)})") if part)


def starting_value(node: Schema) -> Any:
    """Return a value that a JSON Schema takes, as far as its type, choices and limits tell.

    What is beyond them (patterns, conditions) is for a person; the checks say so.
    """
    for word in ("default", "const"):
        if word in node:
            return node[word]
    for word in ("examples", "enum"):
        if _list(node.get(word)):
            return node[word][0]
    kind = node.get("type")
    return _of_type(_list(kind)[0] if _list(kind) else kind, node)


def _of_type(kind: Any, node: Schema) -> Any:
    match kind:
        case "integer" | "number":
            return _number(node, whole=kind == "integer")
        case "boolean":
            return False
        case "null":
            return None
        case "array":
            return [starting_value(_mapping(node.get("items")))] * int(node.get("minItems", 0))
        case "object":
            properties = _mapping(node.get("properties"))
            return {name: starting_value(_mapping(properties.get(name))) for name in _list(node.get("required"))}
    text = _TEXT.ljust(int(node.get("minLength", 0)), "x")
    return text[: int(node.get("maxLength", len(text)))]


def _number(node: Schema, *, whole: bool) -> int | float:
    """Return a number within the limits: the smallest, or else one near the largest, or else 0."""
    low = node.get("minimum", node.get("exclusiveMinimum"))
    high = node.get("maximum", node.get("exclusiveMaximum"))
    step = node.get("multipleOf", 1 if whole else None)
    found = (each for each in _candidates(low, high, step) if _allowed(each, node))
    return next(found, 0)


def _candidates(low: float | None, high: float | None, step: float | None) -> Iterator[int | float]:
    if step is not None:
        nearest = math.ceil(low / step) if low is not None else min(0, math.floor((high or 0) / step))
        yield from (count * step for count in (nearest, nearest + 1, nearest - 1))
    elif low is not None and high is not None:
        yield from (low, (low + high) / 2, high)
    elif low is not None:
        yield from (low, low + 1)
    elif high is not None:
        yield from (min(0, high), high - 1)


def _allowed(number: float, node: Schema) -> bool:
    return all(holds(number, node[word]) for word, holds in _BOUNDS.items() if word in node)


_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
}


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
