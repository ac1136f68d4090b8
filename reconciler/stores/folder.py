"""A work tree: the files as they lie in a folder, committed or not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from intents.writing import blob_id
from reconciler.ports.errors import Stalled
from reconciler.ports.snapshots import FOLDERS, LARGEST, belongs, too_large


class FolderSnapshot:
    """The Snapshot port on a folder, read once. A link is what git makes of it: a file with its target in it."""

    def __init__(self, root: Path) -> None:
        """Look at `root`, the folder that platform/, tenants/ and templates/ lie in."""
        self.root = root

    def blobs(self) -> Mapping[str, str]:
        """Return the id git gives each file's bytes."""
        return self._blobs

    def body(self, path: str) -> bytes:
        """Return the bytes of one of the files."""
        return self._bodies[path]

    @cached_property
    def _blobs(self) -> dict[str, str]:
        return {path: blob_id(body) for path, body in self._bodies.items()}

    @cached_property
    def _bodies(self) -> dict[str, bytes]:
        found: dict[str, bool] = {}
        for folder in FOLDERS:
            self._list(folder, found)
        return {path: self._read(path, is_link=is_link) for path, is_link in found.items() if belongs(path)}

    def _list(self, folder: str, found: dict[str, bool]) -> None:
        """Add each file below a folder, if that is there, and whether it is a link. No link is followed."""
        try:
            with os.scandir(f"{self.root}/{folder}") as entries:
                for entry in entries:
                    path = f"{folder}/{_text(folder, entry.name)}"
                    if entry.is_dir(follow_symlinks=False):
                        self._list(path, found)
                    elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                        found[path] = entry.is_symlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise Stalled(f"{self.root / folder} cannot be read: {error.strerror}") from error

    def _read(self, path: str, *, is_link: bool) -> bytes:
        # No pathlib here: a Path a file costs 0.4 s of 50,000.
        file = f"{self.root}/{path}"
        try:
            if is_link:
                return os.fsencode(os.readlink(file))  # noqa: PTH115
            with open(file, "rb", buffering=0) as opened:  # noqa: PTH123
                if os.fstat(opened.fileno()).st_size > LARGEST:
                    raise too_large(file)
                return opened.read()
        except OSError as error:
            raise Stalled(f"{file} cannot be read: {error.strerror}") from error


def _text(folder: str, name: str) -> str:
    """Return a file's name. Python holds bytes that are no UTF-8 as halves of UTF-16 pairs."""
    if name.isprintable():
        return name
    raise Stalled(f"the name of {folder}/{name!a} is no text that can be shown: rename the file")
