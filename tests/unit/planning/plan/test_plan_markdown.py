"""A comment holds nothing but text, whatever tenants write, and never more than a forge takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from intents.problems import Problem
from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.diff import Change, FieldDifference
from reconciler.planning.plan.intents import IntentChange
from reconciler.planning.plan.markdown import LIMIT, MARKER, to_markdown
from reconciler.planning.plan.report import sections
from reconciler.planning.plan.wording import printable
from tests.fixtures.changes import situations

NASTY = (
    "@acme/everyone",
    "#123 and GH-4",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "```\n</details>\n# shouting",
    "````````",
    "| a | b |",
    "~~~\n@root",
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "line\u2028break",
    "<!-- ordain plan -->",
)
TEXT = st.text(max_size=60) | st.sampled_from(NASTY) | st.from_regex(r"[`|~<>@#\n\\]{1,12}", fullmatch=True)
PLAN = situations()["replace-bump"].plan()


def written_by(text: str) -> ChangePlan:
    """Return a plan in which a tenant wrote `text` wherever tenants write."""
    difference = FieldDifference(Change.CHANGED, f'spec.run.parameters["{text}"]', text, f"{text}!")
    intent = replace(PLAN.intents[0], path=f"tenants/{text}", fields=(difference,))
    problem = Problem("misplaced-file", f"tenants/{text}", 1, 1, text, text)
    others = situations()["open-changes"].plan().others
    return replace(PLAN, intents=(intent,), problems=(problem,), others=(replace(others[0], name=text),))


@pytest.mark.parametrize("unseen", ["\u034f", "\u115f", "\u2800", "\u3164", "\uffa0", "\ufe0f", "\U000e0100"])
def test_what_leaves_no_trace_is_written_out(unseen: str) -> None:
    """`ad<unseen>min` would be read as `admin`."""
    assert printable(f"ad{unseen}min") == f"ad{unseen.encode('unicode_escape').decode()}min"


@settings(max_examples=60, deadline=None)
@given(text=TEXT)
def test_nothing_a_tenant_writes_is_markup(text: str) -> None:
    plan = written_by(text)
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(plan))
    fences = [token for token in tokens if token.type == "fence"]
    assert len(fences) == len(sections(plan))
    assert all(
        printable(line.text)[:900] in fence.content
        for fence, each in zip(fences, sections(plan), strict=True)
        for line in each.lines
    )
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} <= {"text", "code_inline", "strong_open", "strong_close"}
    own = {text for each in sections(plan) for text in (each.title, f":warning: {each.title}")} | {
        "Plan: ",
        "",
        ":warning: ",
    }
    assert {child.content for child in inline if child.type == "text"} <= own
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.replace(MARKER, "").split() == _frames(plan)


def _frames(plan: ChangePlan) -> list[str]:
    return [
        word for each in sections(plan) for word in (*f"<details><summary>{each.title}</summary>".split(), "</details>")
    ]


def test_lines_are_as_many_as_written() -> None:
    fenced = to_markdown(written_by("a\nb\r\nc\u2028d"))
    assert "a\\nb\\r\\nc\\u2028d" in fenced


def many(count: int) -> ChangePlan:
    intents = [
        IntentChange(Change.ADDED, PLAN.intents[0].kind, f"tenants/acme/{'x' * 80}/{number}") for number in range(count)
    ]
    return replace(PLAN, intents=tuple(intents))


@pytest.mark.parametrize("count", [1, 500, 600, 700, 5_000])
def test_a_comment_is_never_longer_than_a_forge_takes(count: int) -> None:
    text = to_markdown(many(count))
    assert len(text) <= LIMIT < 65_536
    shown = text.count("tenants/acme/x")
    assert shown == count or f"… {count - shown} more lines" in text
    assert text.count("<details>") == text.count("</details>") == len(sections(PLAN))
    assert "Retire v2" in text, "what is short is not cut for what is long"


@settings(max_examples=20, deadline=None)
@given(text=st.from_regex(r"(`{1,2000}\n?){1,3}", fullmatch=True), limit=st.integers(30_000, LIMIT))
def test_no_fence_makes_it_longer(text: str, limit: int) -> None:
    assert len(to_markdown(written_by(text), limit)) <= limit
