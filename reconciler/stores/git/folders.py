"""The folders of a repository."""

from __future__ import annotations

import os
from pathlib import Path


def fsync_folder(path: Path) -> None:
    """Make a folder's entries durable; git syncs files but no folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def packed_at(repository: Path) -> int | None:
    """Return when packs were last rolled together, in nanoseconds of the epoch; None where they never were."""
    try:
        return (repository / "objects" / "pack" / "multi-pack-index").stat().st_mtime_ns
    except FileNotFoundError:
        return None
