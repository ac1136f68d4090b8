"""A reconciler that dies between any two steps of a start leaves what the next one brings to one ready server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.drivers.local import triton_process
from reconciler.drivers.local.triton import LocalModelServers
from reconciler.planning.observations import ServerState
from reconciler.stores.fake_objects import MemoryObjects
from tests.crash.model_servers_host import STEPS
from tests.fixtures.served_models import ROOT, TRITON_PYTHON, repository, stored

PATIENCE_SECONDS = 60.0

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.triton,
    pytest.mark.skipif(not TRITON_PYTHON.exists(), reason="no Triton environment: run `make setup`"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("step", STEPS)
async def test_a_start_cut_off_anywhere_is_completed_once(tmp_path: Path, step: str) -> None:
    command = [sys.executable, "-m", "tests.crash.model_servers_host", str(tmp_path), step]
    died = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, timeout=PATIENCE_SECONDS, check=False)
    assert died.returncode == -signal.SIGKILL

    objects = MemoryObjects()
    spec = await stored(objects, repository())
    servers = LocalModelServers(tmp_path, TRITON_PYTHON, objects)
    await servers.start(spec)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while [seen.state for seen in await servers.observe()] != [ServerState.READY]:
            await asyncio.sleep(0.02)

    folder = tmp_path / f"serve-{spec.key}"
    leaders = [each for each in triton_process.strays(folder) if os.getsid(each.pid) == each.pid]
    noted = triton_process.running(folder)
    assert noted is not None
    assert leaders == [noted.identity]

    await servers.stop(spec.key)
    await servers.close()
    assert triton_process.strays(folder) == []
    triton_process.sweep(tmp_path, before=float("inf"))
    assert list(tmp_path.iterdir()) == []
