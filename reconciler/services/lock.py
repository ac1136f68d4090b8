"""One supervisor at a time for each root."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

from reconciler.process_identity import ProcessIdentity, identity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.services.layout import Layout

_ATTEMPTS = 20
_PAUSE_SECONDS = 0.05


class AlreadyRunning(Exception):
    """Another supervisor keeps the platform at this root."""


@contextmanager
def sole_supervisor(layout: Layout) -> Iterator[None]:
    """Hold the root's lock; raises AlreadyRunning at once when somebody else does.

    The kernel lets go of the lock with the process, however that ends. No child inherits it.
    """
    with layout.supervisor_lock.open("a+", encoding="ascii") as file:
        if not _acquired(file):
            raise AlreadyRunning(
                f"the platform at {layout.root} is up already; see `ordain status`, end it with `ordain down`"
            )
        file.truncate(0)
        identity = identity_of(os.getpid())
        json.dump(asdict(identity) if identity else {}, file)
        file.flush()
        yield


def _acquired(file: IO[str]) -> bool:
    """Try for a second: who only looks (`supervisor_of`) holds the lock for an instant, too."""
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
    return False


def supervisor_of(layout: Layout) -> ProcessIdentity | None:
    """Return the process that holds the lock now, None when nobody does."""
    try:
        with layout.supervisor_lock.open(encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(layout)
    except FileNotFoundError:
        return None
    return None


def _holder(layout: Layout) -> ProcessIdentity | None:
    try:
        document = json.loads(layout.supervisor_lock.read_text(encoding="ascii"))
        return ProcessIdentity(pid=document["pid"], start_time=document["start_time"])
    except (ValueError, KeyError):  # taken this very moment, its name not yet written
        return None
