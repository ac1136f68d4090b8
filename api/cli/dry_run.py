"""`--dry-run`: the plan of what would be written."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from api.cli.session import Session
from api.client import Write


def show_plan(session: Session, writes: Sequence[Write]) -> None:
    """Print what the writes would do. Raises Refused and Conflict where they would be."""
    from api.cli.plan_text import PlanText  # noqa: PLC0415 - it loads all that plans are made by

    planned = session.client.intents.plan(writes)
    Console(highlight=False).print(PlanText(planned.plan), crop=False, end="")
    if planned.approvals:
        Console(highlight=False).print(f"\nIt would wait as a change for {_approvals(planned.approvals)}.")
    Console(highlight=False).print("\nNothing was written.", style="dim")


def _approvals(number: int) -> str:
    return f"{number} approval{'' if number == 1 else 's'} by others"
