"""Documents as people give them, and tables as they are shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st
from rich.cells import cell_len

from api.cli.given import Given, document_of, given, stamped
from api.cli.refusals import Unreadable
from api.cli.tables import age, columns
from api.client import ABSENT, Intent, Write
from intents.problems import Problem
from intents.writing import blob_id

PATH, ELSEWHERE = "tenants/a/tenant.yaml", "tenants/b/tenant.yaml"
COMMIT = "c" * 40
BODY = b"kind: Tenant\nspec:\n  hostnames: []\n"


def read(tmp_path: Path, content: bytes) -> Given:
    file = tmp_path / "file"
    file.write_bytes(content)
    return given(file)


def test_what_was_read_is_what_is_expected_there(tmp_path: Path) -> None:
    base = blob_id(BODY)
    document = read(tmp_path, stamped(Intent(PATH, BODY, base, COMMIT)))
    assert document.content == BODY, "its first line is no part of it"
    assert document.write(PATH, base) is None
    edited = read(tmp_path, stamped(Intent(PATH, BODY, base, COMMIT)) + b"# more\n")
    assert edited.write(PATH, "d" * 40) == Write(PATH, (BODY + b"# more\n").decode(), base)
    assert edited.write(PATH, None) == Write(PATH, (BODY + b"# more\n").decode(), base), "it is gone: a conflict"
    assert edited.write(ELSEWHERE, None) == Write(ELSEWHERE, (BODY + b"# more\n").decode(), ABSENT), "a copy"


def test_without_that_line_it_is_what_was_seen_there(tmp_path: Path) -> None:
    document = read(tmp_path, BODY)
    assert document.write(PATH, "d" * 40) == Write(PATH, BODY.decode(), "d" * 40)
    assert document.write(PATH, None) == Write(PATH, BODY.decode(), ABSENT)
    assert document.write(PATH, blob_id(BODY)) is None


@holds_for(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_stamp_comes_off_as_it_went_on(text: str) -> None:
    content = text.encode()
    intent = Intent(PATH, b"kind: Tenant\n" + content, "b" * 40, COMMIT)
    found = document_of("file", stamped(intent))
    assert (found.content, found.base(PATH)) == (intent.content, intent.blob)


@pytest.mark.parametrize("content", [b'{"a": {"b": 1}}', b' \n{"a": {"b": 1}}\n'])
def test_json_is_read_as_yaml(tmp_path: Path, content: bytes) -> None:
    document = read(tmp_path, content)
    assert document.content == b"a:\n  b: 1\n"
    (line,) = document.told(Problem("odd", PATH, 2, 3, "is odd", field="a.b"))
    assert line.startswith(f"{tmp_path / 'file'} a.b: "), "lines of the YAML are nowhere"


def test_yaml_may_begin_as_json_does(tmp_path: Path) -> None:
    assert read(tmp_path, b"{a: b}").content == b"{a: b}"


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        given(tmp_path / "none")
    with pytest.raises(Unreadable, match="no UTF-8: byte 2 is 0xff"):
        read(tmp_path, b"a:\xff")


def test_a_problem_is_told_at_its_line_of_the_file(tmp_path: Path) -> None:
    stamp = stamped(Intent(PATH, b"", "b" * 40, COMMIT))
    problem = Problem("odd", PATH, 3, 14, "is odd", "even it")
    for before, line in ((b"", 3), (stamp, 4)):
        assert list(read(tmp_path, before + BODY).told(problem)) == [
            f"{tmp_path / 'file'}:{line}:14: \x1b[31m\x1b[1merror[odd]\x1b[0m: is odd",
            f"  {line} |   hostnames: []",
            f"  {' '} | {' ' * 13}\x1b[31m\x1b[1m^\x1b[0m",
            "  \x1b[36mhint\x1b[0m: even it",
        ]


def test_columns_are_as_wide_as_they_must_be() -> None:
    rows = [("NAME", "SUBJECT"), ("a", "one"), ("long-name", "")]
    assert list(columns(rows, 80)) == ["NAME       SUBJECT", "a          one", "long-name"]
    assert list(columns([], 80)) == []


@holds_for(
    st.lists(
        st.tuples(st.text("ab", max_size=20), st.text("xy漢", max_size=50), st.text("z", max_size=50)), min_size=1
    ),
    st.integers(40, 120),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = list(columns(rows, width))
    assert all(cell_len(line) <= width for line in lines)
    assert [line.startswith(row[0]) for line, row in zip(lines, rows, strict=True)] == [True] * len(rows)
    whole = list(columns(rows, 0))
    assert all(each in line for line, row in zip(whole, rows, strict=True) for each in row)


@pytest.mark.parametrize(
    ("past", "said"),
    [({}, "0s"), ({"seconds": 59}, "59s"), ({"minutes": 59}, "59m"), ({"hours": 23}, "23h"), ({"days": 400}, "400d")],
)
def test_ages_are_in_their_largest_unit(past: dict[str, int], said: str) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert age(now - timedelta(**past), now) == said
    assert age(now + timedelta(seconds=5), now) == "0s", "clocks differ"


def test_a_document_of_json_keeps_its_meaning(tmp_path: Path) -> None:
    value = {"kind": "Run", "spec": {"on": "yes", "n": "0755", "x": [1, 2.5, None, True]}}
    content = read(tmp_path, json.dumps(value).encode()).content
    assert Intent(PATH, content, blob_id(content), COMMIT).document == value
