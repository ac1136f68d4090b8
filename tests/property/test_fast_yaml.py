"""Two parsers, one meaning: what the fast one accepts, the thorough one accepts with the same value."""
# ruff: noqa: E501 - a table is read by its lines

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intents.composing import MAX_DEPTH, compose
from intents.fast_yaml import LONGEST, fast_value
from intents.identity import identify
from intents.kinds import Kind
from intents.writing import dump
from reconciler.ports.snapshots import FOLDERS
from tests.bench.repository import generate
from tests.fixtures.examples import ROOT, example_files
from tests.property.strategies import DOCUMENTS

CORNERS = [
    # Norway and its like, and words near them
    *("no", "No", "NO", "nO", "yes", "y", "N", "on", "Off", "nope", "only", "null", "Null", "nULL", "~", "true", "TRUE"),
    # numbers, and what looks like one
    *("0", "-0", "-0.0", "00", "0755", "0o17", "0x1f", "0b1", "1_000", "1e3", "1.0e+3", "1.5", "-1.5", "+1", ".5", "5."),
    *("9223372036854775807", "9223372036854775808", "123456789012345678", "1234567890123456789", "1" * 400),
    *("0.1", "0.30000000000000004", "123456789012345678.123456789012345", "1.7976931348623157", "1.2.3", "1-2"),
    *(".inf", "-.inf", ".nan", "inf", "nan", "-inf", "infinity", "NaN", "6e1", "6e1f", "12e03", "1e400", "0.0", "e5"),
    # sexagesimal, dates, and other words of digits
    *("12:30", "12:30:45", "1:5", "190:20:30.15", "2026-11-23", "2026-11-23T01:02:03Z", "2026-1", "10.0.0.0/8", "5m"),
    *("2Gi", "1.0.0", "00000000-0000-0000-0000-000000000000", "6f1cdd9e-4d3b", "12 30", "2026-11-23 12:00:00", "1,2"),
    # indicators, in and out of place
    *("-", "- x", "-m", "--x", "---", "...", "?", "? x", ": x", ":x", "x:y", "x: y", "x :y", "a#b", "a #b", "#", "=", "<<"),
    *("&a", "*a", "!x", "!!str 1", "%x", "@x", "`x`", "|", ">", "a|b", "a & b", "a*", "$x", "(x)", "/x", "_x", "<x", "x\\y"),
    *("[", "]", "{", "}", ",", "[]", "{}", "[a, b]", "[a", "{a: b}", "{a: b", "{a}", "{a, b}", "{1: 2}", "[a: b]", "{a:b}"),
    *("[[[1]]]", "{a: {b: {c: {}}}}", "[, ]", "[a,]", "[a b]", "{a: [b, {c: d}], e: f}", "[x y, z]", "{'a': no}"),
    # quoting
    *('"a"', "'a'", '"a: b"', "'it''s'", '"\\n"', '"\\0"', '"\\x41"', '"\\u2028"', '"no"', "it's", 'a "b"', '"a" b'),
    *('"a', "a'", '"a"b', "''", '""', '{a: x "y, b: no, c: "z", d: w" }', "{a: x 'y, b: 0755, c: 'z', d: w' }"),
    # characters
    *("\t", "a\tb", "\r", "a\r\n", "\x00", "\x07", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffe", "é", "日本", "😀"),
]  # fmt: skip
HOLES = [
    "{}",
    "a: {}",
    "a: {} # no",
    "- {}",
    "- - {}",
    "{}: 1",
    "a: [{}]",
    "a: [b, {}, c]",
    "a: {{b: {}}}",
    "a: {{{}: 1}}",
]
HOLES += ["a: b\n{}", "a: b\n  {}", "a:\n  {}", "a:\n- {}", "a: [b\n  {}]", "a: {}\n  c", "a: {}\nb: 1", "  {}", " {}"]

WORDS = st.sampled_from(CORNERS) | st.from_regex(r"[-+0-9a-fA-Fxo_.:eETZ]{1,8}", fullmatch=True)
GAPS = st.sampled_from(
    ["", " ", "\n", "\n  ", "\n    ", "\n- ", ": ", "- ", ", ", ",", " #", "[", "]", "{", "}", '"', "'"]
)
SOUP = st.lists(WORDS | GAPS, max_size=30).map("".join)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "", "  ", "  ", "    ", " ", "        "]),
        st.sampled_from(["", "", "", "- ", "- - ", "-  "]),
        st.sampled_from(["", "a: ", "b: ", "c:", '"d": ', "'e': ", "f:  ", "g h: ", "1: "]),
        WORDS,
        st.sampled_from(["", "", " ", " # no", "#", " b", ' "b"', ","]),
    ).map("".join),
    max_size=12,
).map("\n".join)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, types and the order of keys included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return str(one) == str(other)  # -0.0 is 0.0


def has_other_keys_than_text(value: Any) -> bool:
    """Whether a mapping has a key that every kind of intent refuses."""
    if isinstance(value, dict):
        return any(not isinstance(key, str) or has_other_keys_than_text(each) for key, each in value.items())
    return isinstance(value, list) and any(map(has_other_keys_than_text, value))


def agrees(text: str | bytes) -> bool:
    """Whether the fast parser says nothing of a document, or what the thorough one says."""
    body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    value = fast_value(body)
    if value is None or has_other_keys_than_text(value):
        return True
    composed = compose(body)
    return composed.findings == [] and same(composed.value, value)


@pytest.mark.parametrize("hole", HOLES)
def test_every_corner_in_every_place(hole: str) -> None:
    assert [corner for corner in CORNERS if not agrees(hole.format(corner))] == []


@settings(max_examples=500, deadline=None)
@given(text=SOUP | LINES)
def test_a_soup_of_corners(text: str) -> None:
    assert agrees(text)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=SOUP | LINES | st.text(max_size=60))
def test_a_large_soup_of_corners(text: str) -> None:
    assert agrees(text)


@settings(max_examples=66, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=st.sampled_from(list(Kind)))
def test_documents_of_every_kind(data: st.DataObject, kind: Kind) -> None:
    assert agrees(dump(kind, data.draw(DOCUMENTS[kind])))


@settings(max_examples=66, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=st.sampled_from(list(Kind)))
def test_documents_with_a_corner_in_them(data: st.DataObject, kind: Kind) -> None:
    text = dump(kind, data.draw(DOCUMENTS[kind])).decode()
    words = list(re.finditer(r"[^\s:,]+", text))
    word = data.draw(st.sampled_from(words))
    assert agrees(text[: word.start()] + data.draw(st.sampled_from(CORNERS)) + text[word.end() :])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"# nothing\n",
        b"\xff",
        b"a: \xc3\x28",
        b"\xef\xbb\xbfa: b",
        b"a: b\r\nc: d\r\n",
        b"a: 1\na: 1\n",
        b"a: 1\n'a': 1\n",
        b"a: {b: 1, b: 1}\n",
        b"a: b\n---\nc: d\n",
        b"a: &x [1, 2]\nb: *x\n",
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        b"a: {<<: {b: 1}}\n",
        b"a: " + b"x" * LONGEST,
    ],
)
def test_documents_that_are_left_to_the_thorough_parser(body: bytes) -> None:
    assert fast_value(body) is None


@pytest.mark.parametrize("body", [b"a: '" + b"x" * 60_000 + b"'", b"a: " + b"x " * 30_000, b"a: 1" + b"0" * 60_000])
def test_long_scalars(body: bytes) -> None:
    assert agrees(body)


def test_nothing_is_too_deep() -> None:
    """The deepest document of the grammar is admitted, and is as deep as the thorough parser allows."""
    lines = [f"{'  ' * column}a:\n{'  ' * column}- b:" for column in range(9)]
    deepest = "\n".join([*lines, f"{'  ' * 9}a:\n{'  ' * 9}- - b: {'[' * 8}{']' * 8}"])
    assert _depth(fast_value(deepest.encode())) == 30 < MAX_DEPTH
    assert agrees(deepest)
    assert fast_value(deepest.replace("[]", "[[]]").encode()) is None


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _shipped() -> dict[str, bytes]:
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.yaml"))
    return {file.relative_to(ROOT).as_posix(): file.read_bytes() for file in files}


def test_the_documents_people_write_are_read_fast() -> None:
    for files in (_shipped(), example_files(), generate(1000)):
        documents = {path: body for path, body in files.items() if identify(path)}
        assert documents
        assert [path for path, body in documents.items() if fast_value(body) is None] == []
        assert all(agrees(body) for body in documents.values())
