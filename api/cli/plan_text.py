"""A plan as people read it in a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.lines import Line, Mark, Section
from reconciler.planning.plan.report import headline, sections
from reconciler.planning.plan.wording import printable

_STYLES = {Mark.ADDED: "green", Mark.CHANGED: "yellow", Mark.REMOVED: "red", Mark.ALERT: "bold red", Mark.PLAIN: ""}


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
        indent = " " * (2 + 2 * self.line.depth)
        mark = Text.assemble(indent, (self.line.mark.value, _STYLES[self.line.mark]), " ")
        room = max(options.max_width - len(mark), 20)
        for part in Text(printable(self.line.text)).wrap(console, room, overflow="fold"):
            part.rstrip()
            yield mark + part
            mark = Text(f"{indent}  ")
