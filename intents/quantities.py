"""Kubernetes quantities and durations.

A quantity's canonical form is the one the Kubernetes API server stores
(k8s.io/apimachinery/pkg/api/resource, Quantity.CanonicalizeBytes), so a manifest that holds it never drifts.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from math import ceil

_QUANTITY = re.compile(
    r"([0-9]{1,28}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
    r"(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE])|[eE](-?[0-9]{1,2}))?"
)
_BINARY_BASE = 1024
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES = {power: suffix for suffix, power in _BINARY.items()} | {0: ""}
_DECIMAL_SUFFIXES = {power: suffix for suffix, power in _DECIMAL.items()}
_LARGEST = 2**63 - 1
_NANO = Decimal("1e-9")

_DURATION = re.compile(r"([1-9][0-9]{0,4})(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}

DURATION_PATTERN = f"^{_DURATION.pattern}$"


# Decimal arithmetic takes 5 µs, and a tree of thousands of intents holds few different quantities.
@lru_cache(maxsize=8192)
def quantity_value(text: str) -> Decimal:
    """Return the value of a quantity in base units (CPUs, bytes). Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is no quantity: a number such as 1, 500m, 2Gi")
    number, binary, decimal, exponent = match.groups()
    value = Decimal(number)
    if binary:
        value *= _BINARY_BASE ** _BINARY[binary]
    else:
        value = value.scaleb(int(exponent) if exponent else _DECIMAL[decimal or ""])
    if value > _LARGEST or value % _NANO:
        raise ValueError(f"`{text}` is out of range: from 1n to 2^63-1")
    return value


@lru_cache(maxsize=8192)
def canonical_quantity(text: str) -> str:
    """Return a quantity as the API server stores it: `1000m` is `1`, `1.5Gi` is `1536Mi`, `2000` is `2k`.

    From 1024 on, binary quantities are rounded up to whole units; exponents are written as suffixes.
    Raises ValueError.
    """
    value = quantity_value(text)
    if text.endswith("i") and value >= _BINARY_BASE:
        return binary_quantity(ceil(value))
    return _decimal(value)


def duration_seconds(text: str) -> int:
    """Return the seconds of a duration such as `90s`, `5m` or `2h`. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is no duration: a whole number and a unit, such as 90s, 5m, 2h")
    return int(match[1]) * _SECONDS[match[2]]


def binary_quantity(value: int) -> str:
    """Write whole bytes in the largest unit that divides them: `2Gi`, `1536Mi`. No sum is too large."""
    power = 0
    while value and value % _BINARY_BASE == 0 and power < max(_BINARY_SUFFIXES):
        value //= _BINARY_BASE
        power += 1
    return f"{value}{_BINARY_SUFFIXES[power]}"


def _decimal(value: Decimal) -> str:
    if not value:
        return "0"
    power = 18
    while value % Decimal(1).scaleb(power):
        power -= 3
    return f"{int(value.scaleb(-power))}{_DECIMAL_SUFFIXES[power]}"
