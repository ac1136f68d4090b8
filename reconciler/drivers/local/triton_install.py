"""Triton as the nvidia-pytriton wheel brings it: where its parts are, and how to start it on one machine."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from reconciler.ports.errors import Stalled

# Asks the Triton environment's own Python, because only it knows where its parts are. Prints one JSON object.
_ASK = """
import ctypes, importlib.metadata as m, importlib.util as u, json, pathlib, sys, sysconfig
minor = "%d.%d" % sys.version_info[:2]
library = "libpython" + minor + ".so.1.0"
folders = [sysconfig.get_config_var("LIBDIR"), sys.base_prefix + "/lib"]
folders = [f for f in folders if f and pathlib.Path(f, library).is_file()]
def loads():
    try: return bool(ctypes.CDLL(library))
    except OSError: return False
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return ""
spec = u.find_spec("pytriton")
print(json.dumps({
    "python": minor, "library": library, "library_folder": folders[0] if folders else "",
    "library_loads": bool(folders) or loads(),
    "pytriton": list(spec.submodule_search_locations)[0] if spec else "",
    "numpy": version("numpy"), "onnxruntime": version("onnxruntime"),
}))
"""
_ASK_SECONDS = 30
_AGAIN = "Run `make setup` to build the Triton environment again."

# Of V2's extensions; in explicit mode a load call can carry files, python code among them.
_RESTRICTED = "model-repository,shared-memory,trace,logging"
# Enough for small tabular requests; the region grows on demand. Triton's own default was 64 MiB before 2.4x.
_SHARED_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True)
class TritonInstall:
    """The parts of one Triton environment."""

    server: Path
    backend: Path
    stub: Path
    libraries: tuple[Path, ...]
    """For LD_LIBRARY_PATH."""
    programs: Path
    """The environment's bin: the stub finds its site-packages by the `python3` there."""


async def find_triton(python: Path) -> TritonInstall:
    """Return the parts of the environment of `python`; raises `Stalled` with what to install where one is missing."""
    if not python.exists():
        raise Stalled(f"there is no Triton environment at {python}. {_AGAIN}")
    answer = await _ask(python)
    _refuse_unfit(answer)
    root = Path(answer["pytriton"]) / "tritonserver"
    library = [Path(answer["library_folder"])] if answer["library_folder"] else []
    install = TritonInstall(
        server=root / "bin/tritonserver",
        backend=root / "backends/python",
        stub=root / "python_backend_stubs" / answer["python"] / "triton_python_backend_stub",
        libraries=(root.parent.parent / "nvidia_pytriton.libs", *library),
        programs=python.parent,
    )
    if not install.stub.exists():
        raise Stalled(
            f"the Triton wheel has no python backend for Python {answer['python']}, which {python} is. {_AGAIN}"
        )
    return install


async def _ask(python: Path) -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        python, "-I", "-c", _ASK, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        raise Stalled(f"{python} did not answer within {_ASK_SECONDS} s. {_AGAIN}") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Stalled(f"{python} does not work: {err.decode(errors='replace').strip()[-300:]} {_AGAIN}")
    answer: dict[str, str] = json.loads(out)
    return answer


def _refuse_unfit(answer: dict[str, str]) -> None:
    if not answer["pytriton"] or not answer["onnxruntime"]:
        raise Stalled(f"nvidia-pytriton or onnxruntime is missing; Triton's wheel exists for Linux only. {_AGAIN}")
    if int(answer["numpy"].partition(".")[0] or 0) != 1:
        raise Stalled(
            f"numpy {answer['numpy'] or '(none)'} in the Triton environment: with 2 or newer Triton's python backend "
            f"answers wrongly without an error, so nothing is served. {_AGAIN}"
        )
    if not answer["library_loads"]:
        raise Stalled(
            f"Triton's python backend needs {answer['library']}, and it cannot be loaded. Install it: "
            f"`apt-get install libpython{answer['python']}` (Debian, Ubuntu) or "
            f"`dnf install python{answer['python']}-libs` (Fedora, RHEL); the model is then started by itself."
        )


def make_backends(install: TritonInstall, folder: Path) -> None:
    """Lay out the backend folder: the wheel's python backend with its stub, and our onnxruntime on top of it.

    Triton refuses symbolic links that lead out of it. Hard links let all servers share the same pages of memory.
    """
    shutil.rmtree(folder, ignore_errors=True)
    python, onnxruntime = folder / "python", folder / "onnxruntime"
    python.mkdir(parents=True)
    onnxruntime.mkdir()
    for part in ("libtriton_python.so", "triton_python_backend_utils.py"):
        _link(install.backend / part, python / part)
    _link(install.stub, python / install.stub.name)
    shutil.copyfile(Path(__file__).parent / "triton_backend" / "model.py", onnxruntime / "model.py")


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)


def triton_command(install: TritonInstall, model: str, port: int, shared_memory: str) -> list[str]:
    """Return the command of a server of one model that listens on 127.0.0.1:`port` only, run in its folder.

    Folders are named from there: Triton puts them into a shell line unquoted, and a checkout's path may have blanks.

    The configuration is complete (triton_model sees to it), so Triton need not ask the backend to complete it:
    from start to first answer 0.45 s instead of 1.75 s. The restricting secret is thrown away: nobody may.
    """
    return [
        str(install.server),
        "--model-repository=model",
        "--backend-directory=backends",
        f"--backend-config=python,shm-region-prefix-name={shared_memory}",
        f"--backend-config=python,shm-default-byte-size={_SHARED_MEMORY_BYTES}",
        "--model-control-mode=explicit",
        f"--load-model={model}",
        "--disable-auto-complete-config",
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        "--http-thread-count=4",
        f"--http-restricted-api={_RESTRICTED}:x-ordain-secret={secrets.token_hex(16)}",
        "--allow-grpc=false",
        "--allow-metrics=false",
        "--allow-gpu-metrics=false",
        "--pinned-memory-pool-byte-size=0",
        "--exit-timeout-secs=5",
    ]


def triton_environment(install: TritonInstall, folder: Path) -> dict[str, str]:
    """Return the whole environment of a server; nothing of ours is inherited."""
    return {
        "ORT_DISABLE_TELEMETRY": "1",
        "PATH": f"{install.programs}:/usr/bin:/bin",
        "LD_LIBRARY_PATH": ":".join(map(str, install.libraries)),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONNOUSERSITE": "1",
    }
