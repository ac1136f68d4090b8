"""The embedded parts under a supervisor, as a program a test can kill: `python services_host.py <root>`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.services.control import run_foreground
from reconciler.services.embedded import embedded_parts
from reconciler.services.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.services.part import Part
    from reconciler.services.settings import Settings
    from reconciler.services.supervisor import Notice


async def parts(settings: Settings) -> Sequence[Part]:
    return await embedded_parts(settings, nothing_to_migrate)


async def nothing_to_migrate() -> None:
    return


def show(notice: Notice) -> None:
    sys.stdout.write(f"{notice.part}: {notice.text}\n")
    sys.stdout.flush()


def ready(settings: Settings) -> None:
    sys.stdout.write(f"ready, edge port {settings.edge_port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run_foreground(Layout(Path(sys.argv[1])), parts, show, ready))
