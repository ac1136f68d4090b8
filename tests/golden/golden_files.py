"""Golden files: `ORDAIN_GOLDEN=write pytest tests/golden` writes them anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

FILES = Path(__file__).resolve().parent / "files"


def check_golden(name: str, rendered: Mapping[str, bytes]) -> None:
    """Hold `rendered` (bytes by path) against the folder `name`, or write that folder."""
    folder = FILES / name
    if os.environ.get("ORDAIN_GOLDEN") == "write":
        _write(folder, rendered)
    kept = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert rendered == kept, "rendered otherwise than kept; if that is right: ORDAIN_GOLDEN=write"


def _write(folder: Path, rendered: Mapping[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, body in rendered.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
