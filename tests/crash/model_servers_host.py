"""Starts a model server and dies by SIGKILL at one step: `python -m tests.crash.model_servers_host DIR STEP`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

from reconciler.drivers.local import triton_model, triton_process, triton_server
from reconciler.drivers.local.triton import LocalModelServers
from reconciler.stores.fake_objects import MemoryObjects
from tests.fixtures.served_models import TRITON_PYTHON, repository, stored

# It dies when the named function is called, which is right after the step before it.
STEPS: dict[str, tuple[ModuleType, str]] = {
    "nothing": (triton_process, "write_json"),
    "claimed": (triton_server, "find_triton"),
    "found": (triton_server, "ensure_model"),
    "listed": (triton_model, "_write"),
    "fetched": (triton_model, "_replace"),
    "verified": (triton_server, "make_backends"),
    "laid-out": (triton_process, "launch"),
    "started": (triton_process, "identity_of"),
    "noted": (triton_server, "probe"),
}


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(proc_dir: Path, step: str) -> None:
    module, name = STEPS[step]
    setattr(module, name, die)
    objects = MemoryObjects()
    servers = LocalModelServers(proc_dir, TRITON_PYTHON, objects)
    await servers.start(await stored(objects, repository()))
    while True:
        await servers.observe()
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
