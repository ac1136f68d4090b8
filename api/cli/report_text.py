"""A report for a person: each problem with its line, a caret under its place, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import click

from api.cli.report import Report
from intents.problems import Problem, Severity

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_WIDTH = 120
"""Characters of a line that are shown; a document may be one line of 256 KiB."""
_BEFORE = 60
"""Of them before the place, where the line is longer."""


def to_text(report: Report) -> str:
    """Return the report with colours, which `click.echo` leaves out where there is no terminal."""
    parts = [_told(report, problem) for problem in report.problems]
    parts += [f"not checked here: {question}" for question in report.not_checked]
    return "\n".join([*parts, _summary(report)])


def _told(report: Report, problem: Problem) -> str:
    return "\n".join(_lines(report, problem)) + "\n"


def _lines(report: Report, problem: Problem) -> Iterator[str]:
    place = f":{problem.line}:{problem.column}" if problem.line else ""
    title = click.style(f"{problem.severity}[{problem.code}]", fg=_COLOURS[problem.severity], bold=True)
    yield f"{report.root}{problem.path}{place}: {title}: {shown(problem.told)}"
    text = report.line(problem.path, problem.line) if problem.line else ""
    if text.strip():
        number, blank = str(problem.line), " " * len(str(problem.line))
        excerpt, column = _excerpt(shown(text), problem.column)
        caret = click.style("^", fg=_COLOURS[problem.severity], bold=True)
        yield f"  {number} | {excerpt}"
        yield f"  {blank} | {' ' * (column - 1)}{caret}"
    if problem.hint:
        yield f"  {click.style('hint', fg='cyan')}: {shown(problem.hint)}"


def _excerpt(text: str, column: int) -> tuple[str, int]:
    """Return the part of a line around a column, and the column in it."""
    if len(text) <= _WIDTH:
        return text, column
    start = max(0, min(column - 1 - _BEFORE, len(text) - _WIDTH))
    return text[start : start + _WIDTH], column - start


def shown(text: str) -> str:
    """Return text that cannot do anything to a terminal: whatever is not printed stands as `�`."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _summary(report: Report) -> str:
    counts = [_count(report.intents, "intent"), _count(report.errors, "problem")]
    if report.warnings:
        counts.append(_count(report.warnings, "warning"))
    colour = "red" if report.errors else "green"
    return f"{click.style(', '.join(counts), fg=colour, bold=True)} in {report.seconds:.1f} s"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
