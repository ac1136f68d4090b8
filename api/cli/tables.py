"""Tables in a terminal: as wide as they must be, and no wider than the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.cells import cell_len, set_cell_size

GAP = "  "
_NARROWEST = 6
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))

Row = Sequence[str]


def columns(rows: Sequence[Row], width: int) -> Iterator[str]:
    """Yield the rows in columns. The widest, but never the first, are cut where a line would outgrow `width`.

    At width 0, nothing is cut.
    """
    if not rows:
        return
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]))]
    if width:
        widths = _fitting(widths, width)
    for row in rows:
        yield GAP.join(_cell(text, size) for text, size in zip(row, widths, strict=True)).rstrip()


def terminal_width() -> int:
    """Return the columns of the terminal; 0 where the output goes elsewhere."""
    return shutil.get_terminal_size((0, 0)).columns


def age(then: datetime, now: datetime) -> str:
    """Return how long ago that was, in its largest unit: `3d`."""
    seconds = max(0, int((now - then).total_seconds()))
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds // size}{unit}"


def _fitting(widths: list[int], room: int) -> list[int]:
    """Narrow the widest columns but the first, one cell at a time."""
    fitted = list(widths)
    while sum(fitted) + len(GAP) * (len(fitted) - 1) > room and max(fitted[1:], default=0) > _NARROWEST:
        widest = max(range(1, len(fitted)), key=fitted.__getitem__)
        fitted[widest] -= 1
    return fitted


def _cell(text: str, size: int) -> str:
    return set_cell_size(text, size) if cell_len(text) <= size else f"{set_cell_size(text, size - 1)}…"
