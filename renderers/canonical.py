"""Manifests as bytes: the same for the same manifest, in any order and process.

The bytes are exactly those of `intents.writing.to_yaml` with sorted keys, which goes through PyYAML and takes 15 to
25 times as long: 10,000 intents would spend seconds in it. What a manifest is made of nearly always (mappings with
plain keys, lists, one line of text, whole numbers, truth values) is written here; a manifest that holds anything
else goes to PyYAML whole. How one text is quoted, PyYAML decides as well, once for each text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from intents import writing
from intents.scalars import is_text

Manifest: TypeAlias = dict[str, Any]
"""One Kubernetes object, in the form the API server stores. Parts may be shared: none is ever changed."""

_Done: TypeAlias = dict[tuple[int, str], str]
"""What is written already, by identity and indentation: renderers share parts, such as a route's backends."""

# Text of these characters that is no number, truth value or null stands plain in any reader.
_HARMLESS = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9_./@+-]|:(?=[A-Za-z0-9/]))*")


def to_yaml(manifest: Manifest) -> bytes:
    """Write a manifest with sorted keys, in block style."""
    try:
        return _mapping(manifest, "", {}).encode()
    except _Unusual:
        return writing.to_yaml(manifest, sort_keys=True)


class _Unusual(Exception):
    """A part that is left to PyYAML."""


def _mapping(value: Mapping[str, Any], pad: str, done: _Done) -> str:
    """Write a mapping that is not empty; the first line has no indentation."""
    lines: list[str] = []
    for key, inline, above in _keys(tuple(value)):
        part = value[key]
        kind = type(part)
        if kind is str:
            lines.append(f"{inline}{_text(part)}\n")
        elif part and kind is dict:
            deeper = f"{pad}  "
            lines.append(f"{above}{deeper}{_part(part, deeper, done)}")
        elif part and kind is list:
            lines.append(f"{above}{pad}{_part(part, pad, done)}")
        else:
            lines.append(f"{inline}{_small(part)}\n")
    return pad.join(lines)


def _sequence(value: Sequence[Any], pad: str, done: _Done) -> str:
    """Write a list that is not empty; the first line has no indentation."""
    lines: list[str] = []
    for part in value:
        kind = type(part)
        if kind is str:
            lines.append(f"- {_text(part)}\n")
        elif part and kind in {dict, list}:
            lines.append(f"- {_part(part, f'{pad}  ', done)}")
        else:
            lines.append(f"- {_small(part)}\n")
    return pad.join(lines)


def _part(value: Any, pad: str, done: _Done) -> str:
    at = id(value), pad
    written = done.get(at)
    if written is None:
        written = _mapping(value, pad, done) if type(value) is dict else _sequence(value, pad, done)
        done[at] = written
    return written


def _small(value: Any) -> str:
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is dict:
        return "{}"
    if kind is list:
        return "[]"
    raise _Unusual


@lru_cache(maxsize=16_384)
def _text(text: str) -> str:
    return text if _HARMLESS.fullmatch(text) and is_text(text) else _one_line([text])[2:-1]


@lru_cache(maxsize=4096)
def _keys(names: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """Return the keys of a mapping in order, each as it stands before a value and above one."""
    written = [(name, _one_line({name: 0}).removesuffix("0\n")) for name in sorted(names)]
    if any(inline.startswith("?") for _, inline in written):
        raise _Unusual
    return tuple((name, inline, f"{inline.rstrip()}\n") for name, inline in written)


def _one_line(value: object) -> str:
    line = writing.to_yaml(value, sort_keys=True).decode()
    if line.count("\n") != 1:
        raise _Unusual
    return line
