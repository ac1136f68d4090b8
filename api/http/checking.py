"""Checks hold the interpreter: those of large requests come one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TypeVar

T = TypeVar("T")

LARGE_BYTES = 64 << 10
"""An intent of a person's has one or two thousand."""


class Checks:
    """Runs checks in threads.

    Of threads that compute, Python runs one at a time: eight checks of 4 MiB at once let the thread that serves all
    others wait for 0.2 to 1.6 s, one by one for 0.02 to 0.2 s, and are done no later.
    """

    def __init__(self) -> None:
        """Begin with nothing to check."""
        self._large = asyncio.Semaphore(1)

    async def run(self, size: int, check: Callable[[], T]) -> T:
        """Return what a check of texts of `size` bytes in all comes to."""
        async with self._large if size >= LARGE_BYTES else nullcontext():
            return await asyncio.to_thread(check)


def size_of(files: Mapping[str, bytes | None]) -> int:
    """Return how large the texts are together."""
    return sum(len(body or b"") for body in files.values())
