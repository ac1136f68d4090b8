"""What a killed model server leaves outside its folder, and what looks like it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler import model_server_litter
from reconciler.model_server_litter import remove_litter
from reconciler.process_identity import ProcessIdentity, identity_of, started_at


@pytest.fixture
def process() -> Iterator[ProcessIdentity]:
    child = subprocess.Popen(["sleep", "600"])
    found = identity_of(child.pid)
    assert found is not None
    yield found
    child.kill()
    child.wait()


def test_when_a_process_was_started(process: ProcessIdentity) -> None:
    assert abs(started_at(process) - time.time()) < 60


def test_regions_by_their_prefix_and_the_empty_folder_by_its_time(
    process: ProcessIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, scratch = tmp_path / "shm", tmp_path / "tmp"
    monkeypatch.setattr(model_server_litter, "_SHARED_MEMORY", memory)
    monkeypatch.setattr(model_server_litter, "_SCRATCH", scratch)
    for name in ("python_env_aaaaaa", "python_env_before", "python_env_filled/x", "other"):
        (scratch / name).mkdir(parents=True)
    os.utime(scratch / "python_env_before", (0, 0))
    memory.mkdir()
    for name in ("serve-a-1-x", "serve-b-2-x"):
        (memory / name).touch()

    remove_litter("serve-a-1-", process)
    assert {path.name for path in memory.iterdir()} == {"serve-b-2-x"}
    assert {path.name for path in scratch.iterdir()} == {"python_env_before", "python_env_filled", "other"}
