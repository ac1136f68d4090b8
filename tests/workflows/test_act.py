"""What runs act leaves nothing running, however a workflow ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.act import bounded


def test_what_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid}; exec sleep 600' & sleep 600"
    with pytest.raises(subprocess.TimeoutExpired):
        bounded(["sh", "-c", script], os.environ, seconds=1)
    ended = int(pid.read_text())
    # Where nobody reaps orphans, what is dead keeps its id.
    assert not psutil.pid_exists(ended) or psutil.Process(ended).status() == psutil.STATUS_ZOMBIE
