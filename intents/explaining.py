"""What a kind or a field means, in words: read from the kind's JSON Schema, so nothing is said twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from intents.authority import written_by
from intents.hints import nearest
from intents.identity import path_form
from intents.kind_names import UnknownKind, kind_called
from intents.kinds import Kind
from intents.schemas import IMMUTABLE, definition, schema

Schema = Mapping[str, Any]


class NothingToExplain(Exception):
    """There is no such kind or field. The message says what there is."""


@dataclass(frozen=True)
class Field:
    """One field of a kind, or the whole document where `path` is empty."""

    kind: Kind
    path: tuple[str, ...]
    type: str
    """`string`, `[]object`, `map[string]integer`, …; `any` for free JSON."""
    description: str
    required: bool
    immutable: bool
    default: str | None
    """As JSON; None where there is no default, or it is null."""
    example: str | None
    """As JSON."""
    keys: tuple[str, ...]
    """What the keys of a map must be one of; empty for free ones."""
    choices: tuple[str, ...]
    """What the value, or each one in a list or map, must be one of; empty for free ones."""
    limits: tuple[str, ...]
    """What the value must keep to, in words."""
    fields: tuple[Field, ...]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path[-1] if self.path else ""

    @property
    def flags(self) -> tuple[str, ...]:
        """`required`, `immutable`."""
        return tuple(word for word, holds in (("required", self.required), ("immutable", self.immutable)) if holds)

    @property
    def summary(self) -> str:
        """The first sentence of the description."""
        first = " ".join(self.description.split("\n\n", maxsplit=1)[0].split())
        return first.partition(". ")[0].rstrip(".") + "."

    def walk(self) -> Iterator[Field]:
        """Yield every field below this one, each before its own."""
        for field in self.fields:
            yield field
            yield from field.walk()


def kind_of(name: str) -> Kind:
    """Return the kind that people call so, in any case, in full or in short. Raises NothingToExplain."""
    try:
        return kind_called(name)
    except UnknownKind as unknown:
        raise NothingToExplain(str(unknown)) from unknown


def explain(kind: Kind, path: tuple[str, ...] = ()) -> Field:
    """Return the field at `path`, such as `("versions", "0", "model")`; `spec` and positions may be left out.

    Raises NothingToExplain, with the nearest field there is.
    """
    found = document(kind)
    if path and not _has(found, path[0]):
        found = found.fields[-1]
    for name in path:
        found = _step(found, name)
    return found


def document(kind: Kind) -> Field:
    """Return a kind's whole document, `spec` the last of its fields."""
    return _field(kind, (), schema(kind), required=False, immutable=False)


def _has(field: Field, name: str) -> bool:
    return any(each.name.lower() == name.lower() for each in field.fields)


def _step(field: Field, name: str) -> Field:
    if name.isdecimal() and field.type.startswith("[]"):
        return field
    for each in field.fields:
        if name.lower() == each.name.lower() or each.name == _ANY_KEY:
            return each
    where = ".".join((field.kind.value, *field.path))
    raise NothingToExplain(
        f"`{where}` has no field `{name}`: {nearest(name, [each.name for each in field.fields], 'fields')}"
    )


_ANY_KEY = "<name>"


def _field(kind: Kind, path: tuple[str, ...], node: Schema, *, required: bool, immutable: bool) -> Field:
    plain = _plain(kind, node)
    immutable = immutable or bool(node.get(IMMUTABLE))
    return Field(
        kind,
        path,
        _type(kind, plain),
        node.get("description", plain.get("description", "")),
        required,
        immutable,
        _json(node.get("default", plain.get("default"))),
        _json(next(iter(node.get("examples", ())), None)),
        _choices(kind, plain.get("propertyNames", {})),
        _choices(kind, plain),
        tuple(limits(plain)),
        tuple(_fields(kind, path, plain, immutable=immutable)),
    )


def _fields(kind: Kind, path: tuple[str, ...], plain: Schema, *, immutable: bool) -> Iterator[Field]:
    """Yield what lies inside: fields of an object, of a list's items, of a map's values."""
    inner = plain
    while "items" in inner:
        inner = _plain(kind, inner["items"])
    required = inner.get("required", ())
    for name, node in inner.get("properties", {}).items():
        yield _field(kind, (*path, name), node, required=name in required, immutable=immutable)
    values = _values(inner)
    if values and "properties" in _plain(kind, values):
        yield _field(kind, (*path, _ANY_KEY), values, required=False, immutable=immutable)


def _plain(kind: Kind, node: Schema) -> Schema:
    """Return a node with its reference followed, and without `null` among its alternatives."""
    alternatives = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    if alternatives:
        return _plain(kind, alternatives[0])
    if "$ref" in node:
        return definition(schema(kind), node["$ref"])
    return node


def _values(plain: Schema) -> Schema | None:
    """Return the schema of a map's values; None for what is no map."""
    patterns: Schema = plain.get("patternProperties", {})
    free = plain.get("additionalProperties")
    return next(iter(patterns.values()), None) or (free if isinstance(free, Mapping) else None)


def _type(kind: Kind, plain: Schema) -> str:
    if "items" in plain:
        return f"[]{_type(kind, _plain(kind, plain['items']))}"
    values = _values(plain)
    if values is not None:
        return f"map[string]{_type(kind, _plain(kind, values))}"
    if "const" in plain:
        return "string"
    found = plain.get("type", "any")
    return "|".join(found) if isinstance(found, list) else str(found)


def _choices(kind: Kind, node: Schema) -> tuple[str, ...]:
    plain = _plain(kind, node)
    inner = plain.get("items") or _values(plain)
    if inner:
        return _choices(kind, inner)
    return (str(plain["const"]),) if "const" in plain else tuple(plain.get("enum", ()))


def limits(plain: Schema) -> Iterator[str]:
    """Yield what a JSON Schema holds a value to, in words."""
    yield from (said.format(plain[word]) for word, said in _SAID.items() if word in plain)


_SAID = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "{} or more characters",
    "maxLength": "{} or fewer characters",
    "minItems": "{} or more entries",
    "maxItems": "{} or fewer entries",
    "pattern": "matches {}",
    "format": "a {}",
}


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def overview() -> str:
    """Return every kind, where it lies and who writes it, a line each."""
    rows = [(kind.value, path_form(kind), written_by(kind)) for kind in Kind]
    return _columns([("KIND", "PATH", "WRITTEN BY"), *rows])


def to_text(field: Field, *, recursive: bool = False, width: int | None = None) -> str:
    """Return the page of a kind or a field for a terminal, that many characters wide: of any width, if None."""
    blocks = [_columns(list(_head(field)), width), _described(field, width)]
    if field.fields:
        blocks.append("FIELDS:\n" + _columns(list(_rows(field, len(field.path), recursive=recursive)), width))
    return "\n\n".join(blocks)


def _head(field: Field) -> Iterator[tuple[str, ...]]:
    yield "KIND:", field.kind.value
    yield "PATH:", path_form(field.kind)
    yield "WRITTEN BY:", written_by(field.kind)
    if not field.path:
        return
    yield "FIELD:", " ".join((".".join(field.path), f"<{field.type}>", *(f"-{flag}-" for flag in field.flags)))
    if field.default is not None:
        yield "DEFAULT:", field.default
    if field.keys:
        yield "KEYS:", ", ".join(field.keys)
    if field.choices:
        yield "ONE OF:", ", ".join(field.choices)
    if field.limits:
        yield "LIMITS:", ", ".join(field.limits)
    if field.example is not None:
        yield "EXAMPLE:", field.example


def _described(field: Field, width: int | None) -> str:
    paragraphs = field.description.split("\n\n")
    if width is not None:
        paragraphs = [" ".join(each.split()) for each in paragraphs]
    rows: list[tuple[str, ...]] = [("   ", line) for each in paragraphs for line in (*each.splitlines(), "")]
    return "\n".join(("DESCRIPTION:", _columns(rows, width, gap=1).rstrip()))


def _rows(field: Field, depth: int, *, recursive: bool) -> Iterator[tuple[str, ...]]:
    """Yield a line a field; of a whole document those of `spec` as well."""
    for each in field.fields:
        indent = "  " * (len(each.path) - depth)
        default = () if each.default is None else (f"(default {each.default})",)
        about = " ".join((*(f"-{flag}-" for flag in each.flags), each.summary, *default))
        yield f"{indent}{each.name}", f"<{each.type}>", about
        if recursive or each.path == ("spec",):
            yield from _rows(each, depth, recursive=recursive)


_LEAST = 24
"""Characters of the last column; where fewer are left, it goes beyond the edge."""


def _columns(rows: list[tuple[str, ...]], width: int | None = None, gap: int = 2) -> str:
    """Set rows in columns with a gap between; the last one goes on in further lines where it would be too wide."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    room = width - sum(widths) - gap * len(widths) if width is not None else 0
    lines: list[str] = []
    for *first, last in rows:
        parts = wrap(last, room, break_long_words=False, break_on_hyphens=False) or [""] if room >= _LEAST else [last]
        start = "".join(f"{text:{size}}{' ' * gap}" for text, size in zip(first, widths, strict=True))
        lines += [f"{start if not at else ' ' * len(start)}{part}".rstrip() for at, part in enumerate(parts)]
    return "\n".join(lines)
