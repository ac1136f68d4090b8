"""The platform's status as people read it in a terminal."""

from __future__ import annotations

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
MIB = 1 << 20


def status_table(status: PlatformStatus) -> Table:
    """Return every part, and apart from them what is the tenants'."""
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
        _add(table, part, restarts)
    table.add_row(
        "[bold]platform[/]",
        "",
        f"{status.memory / MIB:.0f} MiB",
        "healthy" if status.healthy else "not healthy",
        "",
    )
    for each in (*status.served, *status.runs):
        _add(table, each, "")
    return table


def notice_line(notice: Notice) -> str:
    """Return one line for a change in a part's life."""
    colour = COLOURS.get(notice.state, "red")
    return f"{notice.part:>12} [{colour}]{escape(notice.text)}[/]"


def _add(table: Table, process: ProcessStatus, note: str) -> None:
    colour = COLOURS.get(process.health, "red")
    memory = f"{process.memory / MIB:.0f} MiB" if process.pid else ""
    pid = str(process.pid) if process.pid else ""
    table.add_row(escape(process.name), pid, memory, f"[{colour}]{process.health}[/]{note}", escape(process.address))
