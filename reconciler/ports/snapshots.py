"""Port: the files of one state of a repository of intents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reconciler.ports.errors import Stalled

FOLDERS = ("platform", "tenants", "templates")


def belongs(path: str) -> bool:
    """Whether a file is a part of the repository of intents, right or wrong.

    Whatever else lies beside FOLDERS is not, nor are what Python leaves behind and what lies beside the catalog's
    templates, such as the program that compiles them.
    """
    folder, _, rest = path.partition("/")
    return folder in FOLDERS and "__pycache__" not in rest and (folder != "templates" or "/" in rest)


LARGEST = 16 << 20
"""Bytes of one file that are read: no intent has more than 256 KiB, no package of the catalog more than some."""


def too_large(path: str) -> Stalled:
    """Return why a file is not read."""
    return Stalled(f"{path} has more than {LARGEST >> 20} MiB: keep data out of a repository of intents")


class Snapshot(Protocol):
    """Every file that `belongs`, by its path from the folder that FOLDERS lie in.

    Both methods raise Stalled for what cannot be read.
    """

    def blobs(self) -> Mapping[str, str]:
        """Return the id git gives each file's bytes."""
        ...

    def body(self, path: str) -> bytes:
        """Return the bytes of one of the files."""
        ...
