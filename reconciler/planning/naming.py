"""Names that the platform makes up."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, small: no i, l, o, u, so that names can be read aloud."""


def sortable_suffix(now: datetime, unique: UUID) -> str:
    """Return 13 characters: 9 of the time in milliseconds, so that names sort by age, and 4 of `unique`."""
    milliseconds = int(now.timestamp() * 1000)
    return _base32(milliseconds, 9) + _base32(unique.int, 4)


def short_name(unique: UUID) -> str:
    """Return 10 characters that say 48 bits of `unique`, the ones that are random in each version of it we use."""
    return _base32(unique.int >> 80, 10)


def _base32(number: int, length: int) -> str:
    return "".join(ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(length)))
