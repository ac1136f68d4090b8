"""Keeping runs to themselves: Linux namespaces, where the system lets this user make them.

A run sees its own processes only, has no network, and finds the platform's state (database, repository,
sockets, other runs) hidden behind empty folders; run_child.py does the hiding and gives up the rights to undo
it. It is not kept from the other files of this machine's user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache

_PROBE_SECONDS = 10.0


@cache
def namespaced() -> tuple[str, ...]:
    """Return the words that start a command in namespaces of its own; none where the system refuses.

    The pid namespace ends with the command, and the command with `unshare`, whichever of them is killed.
    """
    if shutil.which("unshare") is None:
        return ()
    # Root makes namespaces without a user namespace, in which it could not read other users' files any more:
    # the checkout may be one.
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    command = ("unshare", *user, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    return command if _works(command) else ()


def isolation() -> str:
    """Say how far runs are kept from this machine and from each other, for status."""
    if namespaced():
        return "isolated: runs have no network and see neither the platform's state nor its processes"
    return "not isolated: runs are child processes of this machine, with its files, processes and network"


def _works(command: tuple[str, ...]) -> bool:
    """Try it, and whether a folder can be hidden in it: some systems allow the one and not the other."""
    probe = [*command, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    try:
        return subprocess.run(probe, capture_output=True, timeout=_PROBE_SECONDS, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
