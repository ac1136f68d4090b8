"""Differences put to work: a document and what differs from it, made into the other document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from reconciler.planning.plan.diff import Change, FieldDifference

_PART = re.compile(r'\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[([A-Za-z_][A-Za-z0-9_-]*)\]|\[("(?:[^"\\]|\\.)*")\]')


def applied(document: Any, differences: Iterable[FieldDifference]) -> Any:
    """Return `document` with the differences in it; named items that are added stand last in their list."""
    result = json.loads(json.dumps(document))  # a copy in which nothing stands in two places
    known = list(differences)
    for each in known:
        if each.change is Change.CHANGED:
            result = _put(result, _parts(each.path), each.before, each.after)
    for each in reversed([each for each in known if each.change is Change.REMOVED]):
        result = _put(result, _parts(each.path), each.before, None, remove=True)
    for each in known:
        if each.change is Change.ADDED:
            result = _put(result, _parts(each.path), None, each.after)
    return result


def unordered(value: Any) -> Any:
    """Return a document with its lists of named items in the order of their names."""
    if isinstance(value, dict):
        return {key: unordered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        items = [unordered(inner) for inner in value]
        named = all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in items)
        return sorted(items, key=lambda each: str(each["name"])) if named else items
    return value


def _parts(path: str) -> list[str | int]:
    found = [match.groups() for match in _PART.finditer(path)]
    return [
        int(index) if index else json.loads(quoted) if quoted else key or name for key, index, name, quoted in found
    ]


def _put(container: Any, parts: list[str | int], before: Any, after: Any, *, remove: bool = False) -> Any:
    if not parts:
        assert container == before
        return after
    first, rest = parts[0], parts[1:]
    key = _position(container, first) if isinstance(container, list) else first
    if rest:
        container[key] = _put(container[key], rest, before, after, remove=remove)
    elif remove:
        assert container[key] == before
        del container[key]
    elif isinstance(container, list) and key == len(container):
        container.append(after)
    else:
        assert before is None or container[key] == before
        container[key] = after
    return container


def _position(items: list[Any], part: str | int) -> int:
    if isinstance(part, int):
        return part
    return next((place for place, each in enumerate(items) if each.get("name") == part), len(items))
