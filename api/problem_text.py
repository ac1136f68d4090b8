"""A problem for a terminal: what is wrong, the line it is in with a mark under its place, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, auto

from intents.problems import Problem

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""As libyaml counts lines."""
_WIDTH = 120
"""Characters of a line that are shown; a document may be one line of 256 KiB."""
_BEFORE = 60
"""Of them before the place, where the line is longer."""


class Part(Enum):
    """Parts of the text that a terminal may colour."""

    TITLE = auto()
    MARK = auto()
    HINT = auto()


Line = Callable[[str, int], str]
"""The text of a line of a file, by path and number from 1; empty where there is none."""
Style = Callable[[str, Part, Problem], str]


def plain(text: str, _part: Part, _problem: Problem) -> str:
    """Colour nothing."""
    return text


def problem_lines(problem: Problem, line: Line, root: str = "", style: Style = plain) -> Iterator[str]:
    """Yield the lines that tell a problem; `root` stands before its path."""
    place = f":{problem.line}:{problem.column}" if problem.line else ""
    title = style(f"{problem.severity}[{problem.code}]", Part.TITLE, problem)
    yield f"{root}{shown(problem.path)}{place}: {title}: {shown(problem.told)}"
    text = line(problem.path, problem.line) if problem.line else ""
    if text.strip():
        number, blank = str(problem.line), " " * len(str(problem.line))
        excerpt, column = _excerpt(shown(text), problem.column)
        yield f"  {number} | {excerpt}"
        yield f"  {blank} | {' ' * (column - 1)}{style('^', Part.MARK, problem)}"
    if problem.hint:
        yield f"  {style('hint', Part.HINT, problem)}: {shown(problem.hint)}"


def line_of(body: bytes, number: int) -> str:
    """Return a line of a document, by its number from 1; empty where it has none."""
    lines = LINE_BREAK.split(body.decode("utf-8", "replace"))
    return lines[number - 1] if number <= len(lines) else ""


def shown(text: str) -> str:
    """Return text that cannot do anything to a terminal: whatever is not printed stands as `�`."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _excerpt(text: str, column: int) -> tuple[str, int]:
    """Return the part of a line around a column, and the column in it."""
    if len(text) <= _WIDTH:
        return text, column
    start = max(0, min(column - 1 - _BEFORE, len(text) - _WIDTH))
    return text[start : start + _WIDTH], column - start
