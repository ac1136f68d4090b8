"""Log files of bounded size: the current one and the one before."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_ROTATE_BYTES = 8 << 20


def open_log(path: Path) -> int:
    """Return a descriptor that appends, so that the file may be cut under whoever writes to it."""
    bound_log(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def bound_log(path: Path) -> None:
    """Move a log that grew too large to `<name>.1` and begin anew; what is written meanwhile may be lost."""
    if path.exists() and path.stat().st_size > _ROTATE_BYTES:
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)


def last_lines(path: Path, count: int) -> list[str]:
    """Return the end of a log, [] when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
