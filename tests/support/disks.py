"""A small disk of its own, in a mount namespace: it can be filled and made read-only, by root and by anybody."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE = "16m"
_ALONE = ("unshare", "--user", "--map-root-user", "--mount")


def can_mount() -> bool:
    """Say whether this system lets whoever runs the tests mount something where nobody else sees it."""
    words = [*_ALONE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class SmallDisk:
    """A tmpfs at `folder` for whoever joined the namespace; a shell lives there and does what it is told."""

    shell: subprocess.Popen[str]
    folder: Path

    def tell(self, command: str) -> bool:
        """Let the shell run a command in the folder; return whether it succeeded."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"(cd {self.folder} && {command}) >/dev/null 2>&1; echo $?\n")
        self.shell.stdin.flush()
        return self.shell.stdout.readline() == "0\n"


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount a small disk at an empty folder; it is gone after the body."""
    with subprocess.Popen((*_ALONE, "sh"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        disk = SmallDisk(shell, folder)
        assert disk.tell(f"mount -t tmpfs -o size={SIZE},mode=700 tmpfs {folder}")
        yield disk


def join(shell: int) -> None:
    """See what the shell of a small disk sees; only a process of one thread may."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind in ("user", "mnt"):
        handle = os.open(f"/proc/{shell}/ns/{kind}", os.O_RDONLY)
        if libc.setns(handle, 0) != 0:
            raise OSError(ctypes.get_errno(), f"cannot join the {kind} namespace of {shell}")
        os.close(handle)
