"""A folder of rendered manifests: made anew each time, and never mistaken for somebody else's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from api.cli.refusals import Unreadable

LIST = ".ordain-rendered"
"""In each folder: the paths of all files that were written into it, a line each."""


def replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` hold exactly these files. It is swapped whole, so it is never seen half written.

    Raises Unreadable, and leaves everything as it is, where there is something in it that was not written here.
    """
    if foreign := _foreign(folder):
        raise Unreadable(f"{foreign} was not written by ordain render: move it away, or name another folder")
    new, old = (folder.with_name(f".{folder.name}.{which}") for which in ("new", "old"))
    for left_by_a_crash in (new, old):
        shutil.rmtree(left_by_a_crash, ignore_errors=True)
    _write(new, files)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _foreign(folder: Path) -> Path | None:
    """Return the first file that is in the way and not in the folder's list."""
    if not _is_folder(folder):
        return folder if folder.exists() or folder.is_symlink() else None
    known = (folder / LIST).read_text(encoding="utf-8").splitlines() if (folder / LIST).is_file() else []
    ours = {folder / path for path in (LIST, *known)}
    return next((file for file in sorted(folder.rglob("*")) if file not in ours and not _is_folder(file)), None)


def _is_folder(file: Path) -> bool:
    return file.is_dir() and not file.is_symlink()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, body in {**files, LIST: "".join(f"{path}\n" for path in sorted(files)).encode()}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
