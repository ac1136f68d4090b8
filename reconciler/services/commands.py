"""Where the embedded parts' programs are: inside the wheels of this environment."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class MissingProgram(Exception):
    """A program of the environment is not there: `make setup` installs it."""


class CommandFailed(Exception):
    """A program that should have done its work and ended did not."""


def program(name: str) -> Path:
    """Return a program beside this interpreter, as wheels install it."""
    return _existing(Path(sys.executable).parent / name)


def packaged_program(package: str, *parts: str) -> Path:
    """Return a program inside an installed package, without importing that."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingProgram(f"the package {package} is not installed here; run `make setup`")
    return _existing(Path(spec.submodule_search_locations[0], *parts))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise MissingProgram(f"{path} is not there; run `make setup`")
    return path


async def run(argv: Sequence[str], *, seconds: float, stdin: bytes = b"") -> str:
    """Return what a command printed; raises CommandFailed with the end of it unless it ended well in time."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        raise CommandFailed(f"{argv[0]} took longer than {seconds:.0f} s") from None
    finally:
        await _end(process)
    text = output.decode(errors="replace")
    if process.returncode != 0:
        raise CommandFailed(f"{argv[0]} ended with {process.returncode}: {text[-2000:].strip()}")
    return text


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command that was given up, with its children: its session is its own."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
