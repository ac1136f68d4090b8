"""A report for a person: each problem, the line it is in with a mark under its place, and what to do."""

from __future__ import annotations

import click

from api.cli.report import Report
from api.problem_text import Part, problem_lines
from intents.problems import Problem, Severity

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def to_text(report: Report) -> str:
    """Return the report with colours, which `click.echo` leaves out where there is no terminal."""
    parts = ["\n".join(problem_lines(each, report.line, report.root, coloured)) + "\n" for each in report.problems]
    parts += [f"not checked here: {question}" for question in report.not_checked]
    return "\n".join([*parts, _summary(report)])


def coloured(text: str, part: Part, problem: Problem) -> str:
    """Colour a part of a problem by what it is, and how severe."""
    if part is Part.HINT:
        return click.style(text, fg="cyan")
    return click.style(text, fg=_COLOURS[problem.severity], bold=True)


def _summary(report: Report) -> str:
    counts = [_count(report.intents, "intent"), _count(report.errors, "problem")]
    if report.warnings:
        counts.append(_count(report.warnings, "warning"))
    colour = "red" if report.errors else "green"
    return f"{click.style(', '.join(counts), fg=colour, bold=True)} in {report.seconds:.1f} s"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
