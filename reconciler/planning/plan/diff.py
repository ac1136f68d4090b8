"""Field by field: what differs between two documents, in words that name the field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import JsonValue

Key = TypeVar("Key", bound=str | int)


class Change(StrEnum):
    """What happens to a thing between two trees."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True)
class FieldDifference:
    """One field that differs; `before` is null where it is added, `after` where it is removed.

    `path` names it from the document's root: `spec.live[v2].weight`. Items of a list go by their name where all
    have one, else by position; a key or name that is no plain word is quoted: `metadata.labels["ordain.dev/tenant"]`.
    """

    change: Change
    path: str
    before: JsonValue = None
    after: JsonValue = None


def differences(before: JsonValue, after: JsonValue, path: str = "") -> Iterator[FieldDifference]:
    """Yield what leads from one document to the other, in the order of their fields.

    Swapping the documents swaps added with removed and before with after, and changes nothing else. Where items have
    names, an added one may stand anywhere in its list; if others changed places, the list is compared by position.
    """
    # 1, 1.0 and true are equal in Python and three things in YAML; what is written tells them apart.
    if before == after and repr(before) == repr(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _entries(before, after, lambda key: f"{path}{_field(key, path)}")
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(before, after, path)
    elif before != after or type(before) is not type(after):
        yield FieldDifference(Change.CHANGED, path, before, after)


def _items(before: list[JsonValue], after: list[JsonValue], path: str) -> Iterator[FieldDifference]:
    old, new = _by_name(before), _by_name(after)
    if old is not None and new is not None and _in_one_order(old, new):
        yield from _entries(old, new, lambda name: f"{path}[{_word(name)}]")
    else:
        yield from _entries(dict(enumerate(before)), dict(enumerate(after)), lambda number: f"{path}[{number}]")


def _entries(
    before: Mapping[Key, JsonValue], after: Mapping[Key, JsonValue], path_of: Callable[[Key], str]
) -> Iterator[FieldDifference]:
    for key in dict.fromkeys((*before, *after)):
        if key not in after:
            yield FieldDifference(Change.REMOVED, path_of(key), before=before[key])
        elif key not in before:
            yield FieldDifference(Change.ADDED, path_of(key), after=after[key])
        else:
            yield from differences(before[key], after[key], path_of(key))


def _by_name(items: list[JsonValue]) -> dict[str, JsonValue] | None:
    """Return a list's items by their name; None unless each has one of its own."""
    named = {item["name"]: item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)}
    return named if len(named) == len(items) else None  # type: ignore[return-value]


def _in_one_order(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> bool:
    return [name for name in old if name in new] == [name for name in new if name in old]


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def _field(key: str, path: str) -> str:
    if not _PLAIN.fullmatch(key):
        return f"[{json.dumps(key)}]"
    return f".{key}" if path else key


def _word(name: str) -> str:
    """Write an item's name so that it is no number and ends where it ends."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name)
