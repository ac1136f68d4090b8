"""File locks beside a repository."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reconciler.ports.errors import Conflict, Unwritable


@contextmanager
def locked(repository: Path, name: str) -> Iterator[IO[str]]:
    """Hold the lock `name`; raises Conflict when another process holds it.

    It is held for as long as any process has the file that is yielded open: a child that inherits it holds it too.
    """
    with _opened(repository, f"{name}.lock-file") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another process holds the lock {name} of {repository.name}") from error
        yield file


def _opened(repository: Path, name: str) -> IO[str]:
    """Open a lock's file without a need to write: on a disk that is full or read-only by now, it is there already."""
    try:
        return os.fdopen(os.open(repository / name, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Unwritable(f"{repository.name} cannot be written to: {error.strerror}") from error
