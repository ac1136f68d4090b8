"""The digest of a model: one name for all its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class FileEntry(NamedTuple):
    """One file of a model: path from the repository's root, size in bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str


def files_digest(files: Iterable[FileEntry | tuple[str, int, str]]) -> str:
    """Return `sha256:<hex>` of the canonical list: a line `<sha256>  <size>  <path>` a file, by path."""
    lines = (f"{sha256}  {size}  {path}\n" for path, size, sha256 in sorted(files))
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
