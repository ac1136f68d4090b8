"""Line by line: as difflib tells it for what people write, and in a bounded time for what they send on purpose."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.line_diff import MOST_LINES, hunks, unified

HEAD = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
LINES = st.lists(st.sampled_from(["", "a", "b", "c", "--- x", "+++ y"]), max_size=30)


def text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def patched(old: list[str], lines: Iterator[str]) -> list[str]:
    """Apply hunks, as patch(1) does; every line that they say is there has to be."""
    made: list[str] = []
    at = 0
    for line in lines:
        if found := HEAD.fullmatch(line):
            start = int(found[1]) - (found[2] != "0")
            made += old[at:start]
            at = start
            continue
        if line[0] in " -":
            assert old[at] == line[1:]
            at += 1
        if line[0] in " +":
            made.append(line[1:])
    return made + old[at:]


@given(LINES, LINES)
def test_it_leads_from_one_to_the_other(old: list[str], new: list[str]) -> None:
    assert patched(old, hunks(text(old), text(new))) == new
    assert (unified(text(old), text(new), "a", "b") == "") == (old == new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("abcdefghij", "abcdXfghij"),
        ("abcdefghijklmnop", "Xbcdefghijklmnop"),
        ("abcdefghijklmnop", "aXcdefghijklmnoY"),
        ("", "ab"),
        ("ab", ""),
        ("a", "b"),
        ("abc", "abcd"),
        ("abcdef", "abxcdyef"),
    ],
)
def test_it_is_what_difflib_says(old: str, new: str) -> None:
    said = "".join(f"{line}\n" for line in difflib.unified_diff(list(old), list(new), "was", "now", lineterm=""))
    assert unified(text(list(old)), text(list(new)), "was", "now") == said


def test_what_would_take_hours_is_one_block() -> None:
    """Each line that is the same stands between two that are not, and there are many of each."""
    old, new = (
        [f"#{side * (line % 2)}{line // 2 % 60:x}" for line in range(40_000)] + ["the end"] for side in ("a", "b")
    )
    found = list(hunks(text(old), text(new)))
    assert found[0] == "@@ -1,40001 +1,40001 @@"
    assert patched(old, iter(found)) == new


def test_a_long_document_with_an_edit_is_compared_around_it() -> None:
    old = [f"line {number % 50}" for number in range(10 * MOST_LINES)]
    new = [*old[:9_000], "edited", *old[9_001:]]
    assert [line for line in hunks(text(old), text(new)) if line[0] in "+-"] == ["-line 0", "+edited"]
