from __future__ import annotations

import pytest

from intents.scalars import AmbiguousScalar, NumberOutOfRange, is_text, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-17", -17),
        ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1.0e+30", 1e30),
        ("train@1.0.0", "train@1.0.0"),
        ("90s", "90s"),
        ("2Gi", "2Gi"),
        ("500m", "500m"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("-", "-"),
        ("sha256:ab", "sha256:ab"),
        ("nobody", "nobody"),
        ("2026-11-23/first", "2026-11-23/first"),
    ],
)
def test_what_all_readers_agree_on_is_accepted(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "NO",
        "y",
        "on",
        "Off",
        "0755",
        "0o17",
        "0x1F",
        "0b1",
        "1_000",
        "+1",
        "1.",
        ".5",
        "1e3",
        "1E3",
        "1.5e3",
        "12:30:45",
        "1:30",
        "-1:30.5",
        "2026-11-23",
        "2026-11-23T10:00:00Z",
        ".inf",
        "-.INF",
        ".nan",
        "<<",
        "=",
        "1.2.3",
        ".",
        "00",
        "08",
        "007",
        "00.5",
    ],
)
def test_what_readers_differ_about_is_refused(text: str) -> None:
    with pytest.raises(AmbiguousScalar):
        resolve(text)
    assert not is_text(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "1" * 5000, "1.0e+999"])
def test_numbers_beyond_64_bits_are_refused(text: str) -> None:
    with pytest.raises(NumberOutOfRange):
        resolve(text)
