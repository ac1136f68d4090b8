"""The upkeep of a bare repository by git itself, at the lowest priority, in a process of its own.

Readers in other processes keep what they have open, and find what they had not opened in the new packs: git and
libgit2 both look again when a pack is gone.
"""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from reconciler.durable import fsync_folder
from reconciler.planning.upkeep import Chore, StoreState
from reconciler.ports.errors import Waiting
from reconciler.stores.git.folders import packed_at
from reconciler.stores.git.leftovers import leftovers, sweep
from reconciler.stores.git.locks import locked

NICE = ("nice", "-n", "19", "git", "-c", "pack.threads=1")
COMMANDS: dict[Chore, Sequence[str]] = {
    Chore.REPACK: ("repack", "--quiet", "--geometric=2", "-d", "--write-midx"),
    Chore.GRAPH: ("commit-graph", "write", "--no-progress", "--reachable", "--changed-paths", "--split"),
}
LOCK = "upkeep"


class GitUpkeep:
    """The Upkeep port."""

    def __init__(self, path: Path) -> None:
        """Keep the repository at `path`."""
        self._path = path

    async def state(self) -> StoreState:
        """Count what there is."""
        return await asyncio.to_thread(self._count)

    async def do(self, chore: Chore) -> None:
        """Do one thing; git holds the lock too, so that one whose parent was killed still keeps others out."""
        with locked(self._path, LOCK) as lock:
            if chore is Chore.SWEEP:
                await asyncio.to_thread(sweep, self._path)
            else:
                await self._git(COMMANDS[chore], lock)

    def _count(self) -> StoreState:
        objects = self._path / "objects"
        packs = sum(1 for _ in (objects / "pack").glob("*.pack"))
        loose = sum(1 for folder in objects.glob("[0-9a-f][0-9a-f]") for _ in folder.iterdir())
        return StoreState(packs, loose, sum(1 for _ in leftovers(self._path)), self._rested())

    def _rested(self) -> timedelta | None:
        packed = packed_at(self._path)
        return None if packed is None else timedelta(microseconds=(time.time_ns() - packed) // 1000)

    async def _git(self, words: Sequence[str], lock: IO[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            *NICE, *words, cwd=self._path, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, pass_fds=[lock.fileno()]
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        if process.returncode != 0:
            raise Waiting(f"git {words[0]} of {self._path} failed: {said.decode(errors='replace').strip()}")
        await asyncio.to_thread(fsync_folder, self._path / "objects" / "pack")
