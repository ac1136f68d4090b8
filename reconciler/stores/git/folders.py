"""The folders of a repository."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.ports.errors import Unwritable

ROOM = 1 << 20
"""Bytes that must be free. A batch may need more; git then says so itself, and leaves nothing."""


def packed_at(repository: Path) -> int | None:
    """Return when packs were last rolled together, in nanoseconds of the epoch; None where they never were."""
    try:
        return (repository / "objects" / "pack" / "multi-pack-index").stat().st_mtime_ns
    except FileNotFoundError:
        return None


def check_room(repository: Path) -> None:
    """Raise Unwritable, with the reason as anyone may know it, where nothing can be written to a repository now."""
    folder, name = repository / "objects" / "pack", repository.name
    there = os.statvfs(folder)
    free = there.f_bavail * there.f_frsize
    if there.f_flag & os.ST_RDONLY:
        raise Unwritable(f"{name} is on a read-only file system")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Unwritable(f"{name} cannot be written to: permission denied")
    if free < ROOM:
        raise Unwritable(f"the disk of {name} is full: {free >> 10} KiB are left")
    if there.f_files and not there.f_favail:
        raise Unwritable(f"the file system of {name} has no room for another file")
