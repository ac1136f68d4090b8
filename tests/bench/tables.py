"""What every bench uses: clocks, and tables."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.table import Table

T = TypeVar("T")

MIB = 1 << 20
ROOT = Path(__file__).resolve().parents[2]


def timed(step: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds a step took, and what it returned."""
    began = time.perf_counter()
    result = step()
    return time.perf_counter() - began, result


def percentiles(seconds: Sequence[float]) -> tuple[str, str]:
    """Return p50 and p99 in milliseconds; of few values p99 is the slowest."""
    ordered = sorted(seconds)
    slowest = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return f"{1000 * statistics.median(ordered):.0f} ms", f"{1000 * slowest:.0f} ms"


def table(title: str, *columns: str) -> Table:
    """Return an empty table, its first column for words and the rest for figures."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        made.add_column(name, justify="right" if position else "left")
    return made


@dataclass(frozen=True)
class Cold:
    """A command, run several times in processes of its own."""

    seconds: Sequence[float]
    cpu_seconds: Sequence[float]
    peak_bytes: int

    @property
    def fastest(self) -> float:
        """The run that others disturbed least."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """What to expect."""
        return statistics.median(self.seconds)

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Fastest, median, CPU of the fastest, and peak memory, as they stand in a table."""
        cpu = min(self.cpu_seconds)
        return f"{self.fastest:.2f} s", f"{self.median:.2f} s", f"{cpu:.2f} s", f"{self.peak_bytes / MIB:.0f} MiB"


def cold(words: Sequence[str | Path], runs: int, ends: Collection[int] = (0,)) -> Cold:
    """Run a Python program `words` so many times. Raises CalledProcessError where it ends otherwise than in `ends`."""
    found = [_run([sys.executable, *map(str, words)], ends) for _ in range(runs)]
    seconds, cpu, peaks = zip(*found, strict=True)
    return Cold(seconds, cpu, max(peaks))


def ordain(*words: str | Path) -> tuple[str | Path, ...]:
    """Return the words that run the command `ordain`."""
    return ("-m", "api.main", *words)


def _run(command: Sequence[str], ends: Collection[int]) -> tuple[float, float, int]:
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds, process.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
    if process.returncode not in ends:
        raise subprocess.CalledProcessError(process.returncode, command)
    # Linux counts the peak in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit
