"""What a model server leaves outside its own folder when a signal ends it; drivers and sweeps remove it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from reconciler.process_identity import ProcessIdentity, started_at

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the kernel keeps POSIX shared memory
# Fixed in Triton's python backend (pb_env.cc), whatever TMPDIR says; empty, as our models bring no environment.
_SCRATCH = Path("/tmp")  # noqa: S108
_SCRATCH_FOLDERS = "python_env_??????"
_LOADED_WITHIN_SECONDS = 60.0
_CLOCK_SECONDS = 2.0
"""/proc gives the time of boot in whole seconds."""


def remove_litter(shared_memory: str, process: ProcessIdentity) -> None:
    """Remove the regions of an ended server, 1 MiB and more each, and the folder that its backend made in /tmp.

    That one is known by its time, owner and emptiness; another server's, made in the same minute, is not missed.
    """
    for region in _SHARED_MEMORY.glob(f"{shared_memory}*") if shared_memory else ():
        region.unlink(missing_ok=True)
    begun = started_at(process) - _CLOCK_SECONDS
    for folder in _SCRATCH.glob(_SCRATCH_FOLDERS):
        with suppress(OSError):  # gone, or in use
            seen = folder.stat()
            if seen.st_uid == os.getuid() and begun <= seen.st_mtime <= begun + _LOADED_WITHIN_SECONDS:
                folder.rmdir()
