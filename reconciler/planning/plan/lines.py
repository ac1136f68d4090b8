"""What a report is made of: sections of short lines, each with a mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.planning.plan.diff import Change, FieldDifference
from reconciler.planning.plan.wording import field_text


class Mark(StrEnum):
    """What a line begins with."""

    ADDED = "+"
    CHANGED = "~"
    REMOVED = "-"
    ALERT = "!"
    """A person should look."""
    PLAIN = " "


@dataclass(frozen=True)
class Line:
    """One line; `depth` is how far it is set in below what it belongs to. Its text may hold what tenants wrote."""

    mark: Mark
    text: str
    depth: int = 0


@dataclass(frozen=True)
class Section:
    """One subject of a plan: its title, the whole of it in a few words, and its lines."""

    title: str
    summary: str
    lines: tuple[Line, ...] = field(default=())

    @property
    def alert(self) -> bool:
        """Whether a person should look."""
        return any(line.mark is Mark.ALERT for line in self.lines)


MARKS = {Change.ADDED: Mark.ADDED, Change.CHANGED: Mark.CHANGED, Change.REMOVED: Mark.REMOVED}


def section(title: str, summary: str, lines: Iterable[Line]) -> Iterator[Section]:
    """Yield the section, or nothing where it has no line."""
    if found := tuple(lines):
        yield Section(title, summary, found)


def field_lines(differences: Iterable[FieldDifference]) -> Iterator[Line]:
    """Yield a line for each field that differs."""
    for each in differences:
        yield Line(MARKS[each.change], field_text(each), 1)


def counted(changes: Iterable[Change]) -> str:
    """Write how many things are added, changed and removed: `2 added, 1 removed`."""
    found = list(changes)
    return ", ".join(f"{found.count(each)} {each}" for each in Change if each in found)
