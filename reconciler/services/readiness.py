"""How the platform's own processes say that they are at work: a file each, rewritten while their loops turn.

The file names the very process that wrote it, so what one left behind speaks for no other; its age shows a
process that still lives but no longer turns.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from reconciler.process_identity import ProcessIdentity, identity_of
from reconciler.services.files import read_document

_EVERY_SECONDS = 2.0
# Many beats missed on a busy machine are no hang; a minute without one is.
STALE_SECONDS = 60.0


async def keep_announcing(path: Path) -> None:
    """Say "at work" now and every two seconds, until cancelled. Start it once the work has begun."""
    while True:
        announce(path)
        await asyncio.sleep(_EVERY_SECONDS)


def announce(path: Path) -> None:
    """Say "at work" once, for this process."""
    identity = identity_of(os.getpid())
    if identity is None:
        raise RuntimeError("/proc does not show this process; is /proc mounted?")
    path.write_text(json.dumps(asdict(identity)), encoding="ascii")


def is_announced(path: Path, identity: ProcessIdentity) -> bool:
    """Say whether this very process announced itself within the last minute."""
    try:
        age = time.time() - path.stat().st_mtime
        document = read_document(path)
    except (OSError, ValueError):  # absent, or caught in the middle of a rewrite
        return False
    return bool(document == asdict(identity) and age < STALE_SECONDS)
