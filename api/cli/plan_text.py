"""A plan as people read it in a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.lines import Line, Mark, Section
from reconciler.planning.plan.report import headline, sections
from reconciler.planning.plan.wording import printable

_STYLES = {
    Mark.ADDED: Style(color="green"),
    Mark.CHANGED: Style(color="yellow"),
    Mark.REMOVED: Style(color="red"),
    Mark.ALERT: Style(color="red", bold=True),
    Mark.PLAIN: Style(),
}


def plan_text(plan: ChangePlan) -> Group:
    """Return the whole plan; nothing in it is taken for markup or for an escape sequence."""
    return Group(Text(f"Plan: {headline(plan)}", style="bold"), *(_section(each) for each in sections(plan)))


def _section(section: Section) -> Group:
    style = "bold red" if section.alert else "bold"
    title = Text.assemble("\n", (section.title, style), (f"  {printable(section.summary)}", "dim"))
    return Group(title, *map(_Hanging, section.lines))


@dataclass(frozen=True)
class _Hanging:
    """A line whose continuation, where it is too long, is set in below its text."""

    line: Line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text, indent = printable(self.line.text), " " * (2 + 2 * self.line.depth)
        room = max(options.max_width - len(indent) - 2, 20)
        yield Segment(indent)
        yield Segment(self.line.mark.value, _STYLES[self.line.mark])
        # Most lines fit; wrapping takes 40 µs.
        parts = [text] if cell_len(text) <= room else _wrapped(console, text, room)
        yield Segment(f" {parts[0]}".rstrip() + "\n")
        for part in parts[1:]:
            yield Segment(f"{indent}  {part}\n")


def _wrapped(console: Console, text: str, room: int) -> list[str]:
    return [part.plain.rstrip() for part in Text(text).wrap(console, room, overflow="fold")]
