"""The platform's status as people read it in a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from reconciler.services.status import PlatformStatus, ProcessStatus
from reconciler.services.supervisor import Notice

COLOURS = {
    "ready": "green",
    "running": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "stopped": "dim",
}
TROUBLE = {"restarting", "unhealthy", "dead"}
MIB = 1 << 20


def status_table(status: PlatformStatus, root: Path) -> Table:
    """Return every part, and apart from them what is the tenants'; a part that is not ready says why."""
    table = Table(box=None, pad_edge=False, title_justify="left")
    for name, justify in (
        ("part", "left"),
        ("pid", "right"),
        ("memory", "right"),
        ("health", "left"),
        ("address", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for part in status.parts:
        restarts = f" ({part.restarts} restarts)" if part.restarts else ""
        note = part.reason if part.health in TROUBLE else part.address
        _add(table, part, restarts, note.removeprefix(f"{root}/"))
    table.add_row(
        "[bold]platform[/]",
        "",
        f"{status.memory / MIB:.0f} MiB",
        "healthy" if status.healthy else "not healthy",
        "",
    )
    for each in (*status.served, *status.runs):
        _add(table, each, "", each.address)
    return table


def notice_line(notice: Notice) -> str:
    """Return one line for a change in a part's life."""
    colour = COLOURS.get(notice.state, "red")
    return f"{notice.part:>12} [{colour}]{escape(notice.text)}[/]"


def _add(table: Table, process: ProcessStatus, restarts: str, note: str) -> None:
    colour = COLOURS.get(process.health, "red")
    memory = f"{process.memory / MIB:.0f} MiB" if process.pid else ""
    pid = str(process.pid) if process.pid else ""
    table.add_row(escape(process.name), pid, memory, f"[{colour}]{process.health}[/]{restarts}", escape(note))
