"""Values as Postgres can hold them. One that it refuses would stop its whole transaction, again at every try."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from psycopg.types.json import Jsonb

T = TypeVar("T")

ROWS = 2000
"""Of one statement at most: a commit may change a whole repository."""


def as_json(value: Any) -> Jsonb:
    """Return `value` for a jsonb column: texts as `as_text` has them, and numbers that JSON lacks as text."""
    return Jsonb(_storable(value))


def as_text(text: str) -> str:
    """Return `text` for a text column; U+0000 and halves of UTF-16 pairs become U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a statement, its texts as `as_text` has them: whoever looks may ask for any."""
    return {name: as_text(value) if isinstance(value, str) else value for name, value in row.items()}


def slices(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def _storable(value: Any) -> Any:
    match value:
        case str():
            return as_text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {as_text(str(key)): _storable(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_storable(inner) for inner in value]
    return value
