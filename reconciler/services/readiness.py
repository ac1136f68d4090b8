"""How the platform's own processes say that they are at work: a file each, rewritten while their loops turn.

The file names the very process that wrote it, so what one left behind speaks for no other; its age shows a
process that still lives but no longer turns.
"""

from __future__ import annotations

import asyncio
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
    document = _own_announcement()
    while True:
        path.write_text(document, encoding="ascii")
        await asyncio.sleep(_EVERY_SECONDS)


def is_announced(path: Path, identity: ProcessIdentity) -> bool:
    """Say whether this very process announced itself within the last minute."""
    try:
        age = time.time() - path.stat().st_mtime
        document = read_document(path)
    except (OSError, ValueError):  # absent, or caught in the middle of a rewrite
        return False
    return bool(document == asdict(identity) and age < STALE_SECONDS)


def _own_announcement() -> str:
    identity = identity_of(os.getpid())
    if identity is None:
        raise RuntimeError("/proc does not show this process; is /proc mounted?")
    return f'{{"pid": {identity.pid}, "start_time": {identity.start_time}}}'
