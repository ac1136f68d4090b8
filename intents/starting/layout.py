"""How a starting document looks: what is given, and commented out what else there is.

`# ` before a word begins a comment; any other `#` hides a line of YAML, which takes effect without it.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from intents.explaining import Field, explain
from intents.identity import Identity, path_of
from intents.kinds import API_VERSION
from intents.schemas import file_name
from intents.writing import to_yaml

_WIDTH = 110
_SCHEMAS = ("platform", "schemas")


@dataclass(frozen=True)
class Lines:
    """A field's value as lines of YAML below its name; all commented out where `off`."""

    lines: tuple[str, ...]
    off: bool = False


@dataclass(frozen=True)
class Started:
    """A file to write."""

    path: str
    body: bytes


def start(identity: Identity, spec: Mapping[str, Any], *remarks: str) -> Started:
    """Write the document of an intent with this spec, each field below what it is for.

    Fields that are not in `spec` follow commented out where they have a default or an example. Raises
    InvalidIntent for a name that cannot be.
    """
    path = path_of(identity)
    kind = identity.kind
    head = (
        f"# yaml-language-server: $schema={_relative((*_SCHEMAS, file_name(kind)), path)}",
        *(f"# {remark}" for remark in (*remarks, f"What each field is for: ordain explain {kind} --recursive")),
        f"apiVersion: {API_VERSION}",
        f"kind: {kind}",
        "spec:",
    )
    lines = (*head, *_indented(_block(explain(kind, ("spec",)), spec)))
    return Started(path, ("\n".join(lines) + "\n").encode())


def _relative(target: tuple[str, ...], path: str) -> str:
    """Return the way from the file at `path` to `target`, both seen from the root."""
    folder = path.split("/")[:-1]
    while folder and target and folder[0] == target[0]:
        folder, target = folder[1:], target[1:]
    return "/".join((*(".." for _ in folder), *target))


def _block(field: Field, values: Mapping[str, Any]) -> Iterator[str]:
    for inner in field.fields:
        shown = list(_shown(inner, values))
        if shown:
            yield from comment(inner.summary)
            yield from shown


def _shown(field: Field, values: Mapping[str, Any]) -> Iterator[str]:
    if field.name not in values:
        other = field.example if field.example is not None else field.default
        yield from (f"#{line}" for line in yaml_lines(field.name, json.loads(other))) if other is not None else ()
        return
    match values[field.name]:
        case Lines(lines, off):
            yield from (f"{'#' if off else ''}{field.name}:", *_indented(lines))
        case Mapping() as inner if field.fields and inner:
            yield from (f"{field.name}:", *_indented(_block(field, inner)))
        case value:
            yield from yaml_lines(field.name, value)


def comment(text: str) -> Iterator[str]:
    """Yield prose as lines of comment."""
    yield from (f"# {line}" for line in textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def yaml_lines(name: str, value: Any) -> list[str]:
    """Return `name: value` as lines of YAML."""
    return to_yaml({name: value}, sort_keys=False).decode().splitlines()


def _indented(lines: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines)
