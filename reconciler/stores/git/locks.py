"""File locks beside a repository."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reconciler.ports.errors import Conflict


@contextmanager
def locked(repository: Path, name: str) -> Iterator[IO[str]]:
    """Hold the lock `name`; raises Conflict when another process holds it.

    It is held for as long as any process has the file that is yielded open: a child that inherits it holds it too.
    """
    with (repository / f"{name}.lock-file").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another process holds the lock {name} of {repository}") from error
        yield file
