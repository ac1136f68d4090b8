"""What a plain (unquoted) YAML scalar means, where YAML 1.1 and YAML 1.2 agree on it.

YAML 1.1: https://yaml.org/type/ (bool, int, float, null, timestamp, merge, value).
YAML 1.2: the core schema, https://yaml.org/spec/1.2.2/#103-core-schema.
"""

from __future__ import annotations

import re

PlainValue = int | float | bool | str | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
FICKLE_WORDS = frozenset(
    form for word in ("y", "n", "yes", "no", "on", "off") for form in (word, word.capitalize(), word.upper())
) | {"=", "<<"}

# Numbers as JSON writes them; YAML 1.1 wants the dot and the sign of the exponent, so they are wanted here.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?")
# Anything that a reader of either version may take for a number or a date.
NUMBER_LIKE = re.compile(
    r"""
      [-+]?0b[01_]+ | [-+]?0o[0-7_]+ | [-+]?0x[0-9a-fA-F_]+
    | [-+]?(?=_*+[0-9.])[0-9._]++(?:[eE][-+]?[0-9]+)?
    | [-+]?[0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?
    | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}
      (?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]*)?
         (?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{1,2})?))?)?
    """,
    re.VERBOSE,
)
_NUMBER_STARTS = frozenset("-+.0123456789_")

# The range every reader holds without loss: signed 64 bits, 19 digits and a sign.
_INTEGER_LIMIT = 2**63
_INTEGER_DIGITS = 20


class AmbiguousScalar(ValueError):
    """YAML versions or readers differ about this plain scalar."""


class NumberOutOfRange(ValueError):
    """A number that not every reader holds without loss."""


def resolve(text: str) -> PlainValue:
    """Return the value of a plain scalar.

    Raises AmbiguousScalar where YAML 1.1 and 1.2 do not agree, NumberOutOfRange where readers do not.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in FICKLE_WORDS:
        raise AmbiguousScalar(text)
    if text[0] in _NUMBER_STARTS:
        return _resolve_number_like(text)
    return text


def is_text(text: str) -> bool:
    """Whether `text`, written plain, is read as that very text by every reader."""
    try:
        return resolve(text) == text
    except ValueError:
        return False


def _resolve_number_like(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if NUMBER_LIKE.fullmatch(text):
        raise AmbiguousScalar(text)
    return text


def _integer(text: str) -> int:
    if len(text) > _INTEGER_DIGITS or not -_INTEGER_LIMIT <= int(text) < _INTEGER_LIMIT:
        raise NumberOutOfRange(text)
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise NumberOutOfRange(text)
    return value
