"""A plan as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.lines import Line, Mark
from reconciler.planning.plan.report import headline, sections
from reconciler.planning.plan.wording import printable

_STYLES = {
    Mark.ADDED: Style(color="green"),
    Mark.CHANGED: Style(color="yellow"),
    Mark.REMOVED: Style(color="red"),
    Mark.ALERT: Style(color="red", bold=True),
    Mark.PLAIN: Style(),
}


@dataclass(frozen=True)
class PlanText:
    """The whole plan, no line wider than the terminal; nothing in it is taken for markup or for an escape sequence.

    It brings its own segments: for thousands of lines, a renderable each takes three times as long.
    """

    plan: ChangePlan

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(f"Plan: {headline(self.plan)}", style="bold")
        for section in sections(self.plan):
            style = "bold red" if section.alert else "bold"
            yield Text.assemble("\n", (section.title, style), (f"  {printable(section.summary)}", "dim"))
            for line in section.lines:
                yield from _segments(line, console, options.max_width)


def _segments(line: Line, console: Console, width: int) -> Iterator[Segment]:
    """Yield a line; its continuation, where it is too long, is set in below its text."""
    text, indent = printable(line.text), " " * (2 + 2 * line.depth)
    room = max(width - len(indent) - 2, 20)
    parts = [text] if cell_len(text) <= room else _wrapped(console, text, room)
    yield Segment(indent)
    yield Segment(line.mark.value, _STYLES[line.mark])
    yield Segment(f" {parts[0]}".rstrip() + "\n")
    for part in parts[1:]:
        yield Segment(f"{indent}  {part}\n")


def _wrapped(console: Console, text: str, room: int) -> list[str]:
    return [part.plain.rstrip() for part in Text(text).wrap(console, room, overflow="fold")]
