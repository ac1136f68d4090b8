"""Hints: the name a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean ...?` for the nearest of the known names, or nothing where none is near."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), lowered, n=1)
    return f"did you mean `{lowered[close[0]]}`?" if close else ""


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """Return the nearest of the known names, or else list them as `<what>: a, b, c`."""
    names = list(known)
    some = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    return did_you_mean(name, names) or (f"{what}: {some}" if names else f"{what}: none")


_LISTED = 8
