"""The words of a plan that text and Markdown share."""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal

from pydantic import JsonValue

from reconciler.planning.plan.amounts import GPUS, MEMORY, plain
from reconciler.planning.plan.cost import CostRange
from reconciler.planning.plan.diff import Change, FieldDifference

_LONGEST_VALUE = 60
_LONGEST_WHOLE = 200
_HASH = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{28}|[0-9a-f]{52})\b")
_BINARY = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


def printable(text: str) -> str:
    """Return text on one line, with everything that a terminal or a reader's eye could be fooled by written out.

    That is control characters and escape sequences, line breaks, marks that change the direction of writing, and what
    cannot be seen at all.
    """
    return text if text.isprintable() and not _UNSEEN.search(text) else "".join(map(_shown, text))


# Letters and marks that Unicode counts as printed and that leave no trace.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"
    "\ufe00-\ufe0f\U000e0100-\U000e01ef]"  # selectors of a variant of the letter before them
)


def _shown(char: str) -> str:
    if char.isprintable() and not _UNSEEN.match(char):
        return char
    if unicodedata.category(char) == "Zs":
        return " "
    return char.encode("unicode_escape", "surrogatepass").decode() if not char.isascii() else repr(char)[1:-1]


def plural(count: int, noun: str) -> str:
    """Write `1 intent`, `2 intents`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def amount(resource: str, value: Decimal) -> str:
    """Write an amount: bytes in the largest unit that they fill."""
    if resource != MEMORY:
        return plain(value)
    for unit, size in _BINARY:
        if abs(value) >= size:
            return f"{plain(round(value / size, 2))}{unit}"
    return plain(value)


def resource_name(resource: str) -> str:
    """Write `gpus/nvidia-l4` as `gpus nvidia-l4`."""
    return resource.replace(GPUS, "gpus ", 1)


def money(cost: CostRange) -> str:
    """Write a range of cost."""
    return f"{cost.min}" if cost.min == cost.max else f"{cost.min}–{cost.max}"


def field_text(difference: FieldDifference) -> str:
    """Write a field that differs: `spec.live[v2].weight: 10 → 50`."""
    before, after = _text(difference.before), _text(difference.after)
    match difference.change:
        case Change.ADDED:
            return f"{difference.path}: {_cut(_brief(after), _LONGEST_WHOLE)}"
        case Change.REMOVED:
            return f"{difference.path}: {_cut(_brief(before), _LONGEST_WHOLE)}"
        case Change.CHANGED:
            return f"{difference.path}: {' → '.join(_pair(before, after))}"


def _pair(before: str, after: str) -> tuple[str, str]:
    """Shorten two values so that what differs can still be seen."""
    old, new = (_cut(_brief(each), _LONGEST_VALUE) for each in (before, after))
    if old != new:
        return old, new
    start = next((place for place, (was, now) in enumerate(zip(before, after, strict=False)) if was != now), 0)
    return f"…{_cut(before[start:], _LONGEST_VALUE)}", f"…{_cut(after[start:], _LONGEST_VALUE)}"


def _text(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _brief(text: str) -> str:
    """Shorten digests and blob ids as git does."""
    return _HASH.sub(lambda found: f"{found[1]}…", text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
