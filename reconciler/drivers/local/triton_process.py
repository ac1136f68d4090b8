"""The files and processes of one Triton server: what of it is on disk, what of it runs.

serve-<key>/
  claim.json     the ServerSpec; the folder appears with it in one rename, which is the claim
  lock           held while one process of ours fetches, starts or ends; the kernel frees it with its holder
  model/         the verified model repository
  backends/      Triton's backend folder, links into its wheel
  triton.json    pid, start time, port and prefix in shared memory of the server that was started last
  triton.log     what it says; triton.log.1 is of the one before
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from reconciler.drivers.local.triton_install import TritonInstall, triton_command, triton_environment
from reconciler.model_server_litter import remove_litter
from reconciler.planning.observations import ServerSpec
from reconciler.ports.errors import Waiting
from reconciler.process_identity import ProcessIdentity, end_group, identity_of, is_alive

_PREFIX = "serve-"
_CLAIMING = ".claiming-"
_ENDED = ".ended-"
_PROGRAMS = ("/tritonserver", "/triton_python_backend_stub")
_LOG_BYTES = 10 << 20
_LOG_TAIL = 4000
# A polite end takes Triton 3 s whether requests are in flight or not; who ends a server has drained it.
_NO_GRACE = 0.0


@dataclass(frozen=True)
class Running:
    """The Triton that was started last, alive or not."""

    identity: ProcessIdentity
    port: int

    @property
    def address(self) -> str:
        """Where it answers V2 over HTTP."""
        return f"127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether this very process runs; a zombie does not."""
        return is_alive(self.identity)


def claim(proc_dir: Path, spec: ServerSpec) -> Path:
    """Return the folder of `spec`, made if it is not there. Two who race get the same one, whole."""
    folder = proc_dir / f"{_PREFIX}{spec.key}"
    if folder.is_dir():
        return folder
    proc_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=_CLAIMING, dir=proc_dir))
    write_json(fresh / "claim.json", asdict(spec))
    try:
        fresh.rename(folder)
    except OSError:  # it is there by now, and not empty
        shutil.rmtree(fresh)
    return folder


def sweep(proc_dir: Path, before: float) -> None:
    """Drop the folders of claims and ends that were cut off before the given time of the system's clock."""
    for pattern in (f"{_CLAIMING}*", f"{_ENDED}*"):
        for folder in proc_dir.glob(pattern):
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)


def claims(proc_dir: Path) -> dict[Path, ServerSpec]:
    """Return every claimed server by its folder."""
    folders = sorted(proc_dir.glob(f"{_PREFIX}*")) if proc_dir.is_dir() else []
    found: dict[Path, ServerSpec] = {}
    for folder in folders:
        with suppress(FileNotFoundError):  # ended by another meanwhile
            found[folder] = ServerSpec(**json.loads((folder / "claim.json").read_bytes()))
    return found


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the server's lock; raises `Waiting` while another process has it or the server was ended."""
    try:
        descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise Waiting(f"{folder.name} was ended") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not folder.exists():
            raise Waiting(f"{folder.name} was ended")
        yield
    except BlockingIOError:
        raise Waiting(f"another process is starting or ending {folder.name}") from None
    finally:
        os.close(descriptor)


def running(folder: Path) -> Running | None:
    """Return the server started last, None before the first."""
    try:
        row = json.loads((folder / "triton.json").read_bytes())
    except FileNotFoundError:
        return None
    return Running(ProcessIdentity(row["pid"], row["start_time"]), row["port"])


async def launch(install: TritonInstall, folder: Path, model: str) -> tuple[Running, subprocess.Popen[bytes]]:
    """Start Triton for the verified model, after ending whatever is left of an earlier one. Needs the lock.

    The port is the earlier one where that is free, so that a restart changes no route.
    """
    await end_processes(folder)
    before = running(folder)
    port = free_port(before.port if before else 0)
    log_path = folder / "triton.log"
    if log_path.exists():
        log_path.replace(folder / "triton.log.1")
    with log_path.open("ab") as log:
        child = subprocess.Popen(  # noqa: ASYNC220 - vfork, a millisecond
            triton_command(install, model, port, _region(folder)),
            env=triton_environment(install, folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    identity = identity_of(child.pid) or ProcessIdentity(child.pid, 0)
    note = {"pid": identity.pid, "start_time": identity.start_time, "port": port, "shared_memory": _region(folder)}
    write_json(folder / "triton.json", note)
    return Running(identity, port), child


async def end_processes(folder: Path) -> None:
    """End the server's whole session, whatever else runs out of the folder, and what they have outside of it."""
    last = running(folder)
    for process in (*([last.identity] if last else ()), *strays(folder)):
        await end_group(process, _NO_GRACE)
        remove_litter(_region(folder), process)


async def end(folder: Path) -> None:
    """End all processes and drop the folder. Needs the lock."""
    await end_processes(folder)
    gone = folder.with_name(f"{_ENDED}{folder.name}-{os.getpid()}")
    folder.rename(gone)
    await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)


def strays(folder: Path) -> list[ProcessIdentity]:
    """Return Tritons and stubs of this folder: a start cut off before triton.json, stubs that outlived Triton."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            ours = bool(words) and words[0].endswith(_PROGRAMS) and process.cwd() == str(folder)
            if ours and (identity := identity_of(process.pid)):
                found.append(identity)
    return found


def stub_died(server: Running) -> bool:
    """Say whether a stub of the living server ended: it stays a zombie, and the server still calls itself ready."""
    with suppress(psutil.Error):
        children = psutil.Process(server.identity.pid).children()
        return any(child.status() == psutil.STATUS_ZOMBIE for child in children)
    return False


def log_tail(folder: Path) -> str:
    """Return what Triton said last about what went wrong, for a reason a person reads."""
    try:
        text = (folder / "triton.log").read_bytes()[-_LOG_TAIL:].decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line for line in text.splitlines() if line.strip(" ;")]
    errors = [line for line in lines if line.startswith(("error:", "E1", "E0"))]
    return (errors or lines or [""])[-1][:500]


def bound_log(folder: Path) -> None:
    """Empty the log once it is past its bound; Triton appends to the same open file."""
    with suppress(FileNotFoundError):
        log = folder / "triton.log"
        if log.stat().st_size > _LOG_BYTES:
            os.truncate(log, 0)


def reap(child: subprocess.Popen[bytes]) -> str:
    """Collect an ended child; return how it ended, empty while it runs."""
    code = child.poll()
    if code is None:
        return ""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def free_port(preferred: int) -> int:
    """Return a free port of 127.0.0.1: the preferred one, or any. It may be taken before it is used."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise Waiting("no loopback port is free")


def write_json(path: Path, document: object) -> None:
    """Write durably: whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _region(folder: Path) -> str:
    """Return the prefix of the server's shared memory; the folder's inode keeps two platforms apart."""
    return f"{folder.name}-{folder.stat().st_ino}-"
