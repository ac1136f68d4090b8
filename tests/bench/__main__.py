"""What ordain costs on this machine, as tables: `python -m tests.bench [SUBJECT …]`, all of them where none is named.

Bounded: on two quiet cores `language` and `kfp` take about two minutes each, `writes` five, `commits` and `line`
three together, `git_http` four; `cluster` one, and two more with a cluster.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

SUBJECTS = ("language", "commits", "writes", "reads", "git_http", "line", "kfp", "cluster")
"""Modules beside this one, each with its `tables(folder)`."""


def main(subjects: Iterable[str]) -> None:
    """Measure, each subject in a folder of its own, and leave nothing behind."""
    console = Console()
    console.print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    for subject in subjects:
        with tempfile.TemporaryDirectory(prefix=f"ordain-bench-{subject}-") as folder:
            measured: Iterable[Table] = import_module(f"tests.bench.{subject}").tables(Path(folder))
            for table in measured:
                console.print(table)


if __name__ == "__main__":
    main([each for each in SUBJECTS if each in sys.argv[1:]] or SUBJECTS)
