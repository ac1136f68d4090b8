"""Writing small state files so that a reader sees the old or the new, never a half."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from reconciler.durable import fsync_folder


def write_document(path: Path, document: Any) -> None:
    """Replace `path` with a JSON document, for the owner's eyes alone; on disk when this returns."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # As UTF-8: NATS reads its configuration from here, and knows no \u escapes.
        json.dump(document, file, indent=1, sort_keys=True, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
    fsync_folder(path.parent)


def read_document(path: Path) -> Any:
    """Return the document, None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
