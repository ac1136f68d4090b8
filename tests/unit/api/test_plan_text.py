"""A plan in a terminal is text, whatever tenants write, and is not wider than the terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from api.cli.plan_text import PlanText
from intents.problems import Problem
from reconciler.planning.plan.change_plan import ChangePlan
from tests.fixtures.changes import situations

PLAN = situations()["new-run"].plan()


def shown(plan: ChangePlan, *, width: int = 80, colours: bool = False) -> str:
    output = StringIO()
    system = "standard" if colours else None
    Console(file=output, width=width, force_terminal=colours, color_system=system).print(  # type: ignore[arg-type]
        PlanText(plan), crop=False, end=""
    )
    return output.getvalue()


def saying(text: str) -> ChangePlan:
    return replace(PLAN, problems=(Problem("misplaced-file", f"tenants/{text}", 1, 1, text, text),))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("[bold red]markup[/]", "[bold red]markup[/]"),
        ("\udcff", "\\udcff"),
        (":warning:", ":warning:"),
    ],
)
def test_what_tenants_write_is_shown_as_it_is(text: str, written: str) -> None:
    output = shown(saying(text))
    assert output.count(written) == 3
    assert [char for char in output if not (char.isprintable() or char == "\n")] == []


def test_a_word_that_is_too_long_is_folded() -> None:
    assert max(map(len, shown(saying("x" * 500), width=40).splitlines())) == 40


def test_marks_have_colours_in_a_terminal_and_none_in_a_file() -> None:
    assert "\x1b[32m+\x1b[0m" in shown(PLAN, colours=True)
    assert "\x1b" not in shown(PLAN)
