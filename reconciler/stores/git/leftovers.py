"""What killed processes leave in a repository: half-written files, lock files, reports. Nothing else removes them."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

UNFINISHED = (
    "fast_import_crash_*",
    "objects/pack/tmp_*",
    "objects/pack/.tmp-*",
    "objects/[0-9a-f][0-9a-f]/tmp_obj_*",
    "objects/info/commit-graphs/tmp_*",
)
LOCKS = (
    "*.lock",
    "refs/**/*.lock",
    "objects/pack/*.lock",
    "objects/info/commit-graphs/*.lock",
)
INCOMING = ("objects/tmp_objdir-*", "objects/incoming-*")
"""Folders where git keeps what is pushed until it is accepted."""

UNFINISHED_SECONDS = 10.0
"""Between closing a file and giving it its name git does nothing."""
LOCK_SECONDS = 30.0
"""Git holds a ref's lock file for milliseconds, closed, while it moves others of the same transaction."""
SURELY_SECONDS = 3600.0
"""For what nobody can be asked about: folders, and files on file systems without leases."""


def leftovers(repository: Path) -> Iterator[Path]:
    """Yield what was left behind: it has been still for a while, and no process has it open."""
    for patterns, seconds in ((UNFINISHED, UNFINISHED_SECONDS), (LOCKS, LOCK_SECONDS)):
        for pattern in patterns:
            yield from (file for file in repository.glob(pattern) if _is_abandoned(file, seconds))
    for pattern in INCOMING:
        yield from (folder for folder in repository.glob(pattern) if _still_for(folder) >= SURELY_SECONDS)


def sweep(repository: Path) -> None:
    """Remove everything that was left behind."""
    for left in leftovers(repository):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def remove_if_abandoned(lock: Path) -> None:
    """Remove one lock file, if nothing else ever would."""
    if _is_abandoned(lock, LOCK_SECONDS):
        lock.unlink(missing_ok=True)


def _is_abandoned(file: Path, seconds: float) -> bool:
    try:
        still = time.time() - file.stat().st_mtime
        return still >= seconds and _is_closed(file, still)
    except FileNotFoundError:
        return False


def _is_closed(file: Path, still: float) -> bool:
    """Whether no process has the file open. The kernel knows: it grants a lease (fcntl(2)) on such a file only."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        # Whoever opens it meanwhile makes the kernel send a signal: one that is ignored, in place of SIGIO, which ends.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        return error.errno != errno.EAGAIN and still >= SURELY_SECONDS
    finally:
        os.close(descriptor)
    return True


def _still_for(folder: Path) -> float:
    """Return the seconds since anything in a folder was written."""
    now, times = time.time(), [0.0]
    with suppress(FileNotFoundError):
        times = [each.stat().st_mtime for each in (folder, *folder.rglob("*"))]
    return now - max(times)
