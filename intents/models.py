"""The digest of a model: one name for all its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class File(Protocol):
    """What the digest is made of: path from the repository's root, size in bytes, sha256 in hex."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class FileEntry:
    """One file of a model."""

    path: str
    size: int
    sha256: str


def files_digest(files: Iterable[File]) -> str:
    """Return `sha256:<hex>` of the canonical list: a line `<sha256>  <size>  <path>` a file, by path."""
    lines = sorted((file.path, f"{file.sha256}  {file.size}  {file.path}\n") for file in files)
    listing = "".join(line for _, line in lines)
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"
