"""Build the three environments of this checkout: `.venv`, `.venv-tasks` and `.venv-triton`.

Needs Python 3.11 or newer and a package index, nothing else: `uv`, in the version and with the hashes of
requirements/uv.txt, comes first and installs the rest from the locks. pip's own settings (environment,
pip.conf) say where the index is, for pip and for uv. Run again it does nothing, in a tenth of a second.

    setup.py [FOLDER …]     only these environments: `.venv` is enough for commands that start no part
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("ordain needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")

import tomllib

from package_index import IndexSettings, download_wheel_script

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
UV_FOLDER = ROOT / ".venv-uv"


@dataclass(frozen=True)
class Environment:
    """One virtual environment and the lock it is made from."""

    folder: str
    lock: str
    purpose: str
    imports: tuple[str, ...]
    with_project: bool = False
    for_triton: bool = False

    @property
    def path(self) -> Path:
        return ROOT / self.folder

    @property
    def stamp(self) -> Path:
        return self.path / ".ordain-stamp"

    def fingerprint(self) -> str:
        """Hash all that would make another environment: the lock, the interpreter, the checkout's place."""
        parts = [sys.version, str(ROOT), (LOCKS / self.lock).read_text(encoding="utf-8")]
        if self.with_project:
            parts.append(what_the_install_reads())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def is_current(self) -> bool:
        return self.stamp.exists() and self.stamp.read_text(encoding="ascii") == self.fingerprint()


def what_the_install_reads() -> str:
    """Return the part of pyproject.toml that the installed project depends on: not how it is checked."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return repr((document["build-system"], document["project"], document["tool"]["hatch"]))


WHAT_STARTS = ("api.main", *(f"api.composition.{name}" for name in ("parts", "api", "writer", "reconciler")))
WHAT_TASKS_IMPORT = ("kfp.local", "sklearn.datasets", "sklearn.ensemble", "sklearn.metrics", "skl2onnx", "onnxruntime")
ENVIRONMENTS = (
    Environment(".venv", "control.txt", "the control plane and its tools", WHAT_STARTS, with_project=True),
    Environment(".venv-tasks", "tasks.txt", "what the tasks of a run import", WHAT_TASKS_IMPORT),
    Environment(".venv-triton", "triton.txt", "the model server", ("onnxruntime",), for_triton=True),
)
# numpy 1 was never built for a newer Python, and numpy 2 makes Triton answer wrongly.
TRITON_PYTHONS = ">=3.11,<3.13"


def main(*folders: str) -> None:
    asked = [each for each in ENVIRONMENTS if not folders or each.folder in folders]
    wanted = [each for each in asked if not each.is_current() and _possible(each)]
    if not wanted:
        return
    UV_FOLDER.mkdir(exist_ok=True)
    with (UV_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = IndexSettings.of_pip()
        uv = find_or_install_uv(settings)
        for environment in wanted:
            if not environment.is_current():
                build(environment, uv, settings)


def _possible(environment: Environment) -> bool:
    return sys.platform == "linux" or not environment.for_triton


def build(environment: Environment, uv: Path, settings: IndexSettings) -> None:
    """Make the environment equal to its lock; the stamp comes last, so a cut-off build is built again."""
    started = time.monotonic()
    say(f"{environment.folder}: {environment.purpose}")
    environment.stamp.unlink(missing_ok=True)
    env = uv_environment(settings)
    interpreter = python_for(environment, uv, env)
    if interpreter is None:
        say(f"{environment.folder}: left out, models cannot be served: Triton needs Python 3.11 or 3.12")
        return
    python = ["--python", str(environment.path)]
    run([uv, "venv", "--quiet", "--allow-existing", "--python", interpreter, environment.path], env)
    run([uv, "pip", "sync", *python, "--require-hashes", LOCKS / environment.lock], env)
    if environment.with_project:
        editable = ["--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        run([uv, "pip", "install", *python, *editable], env)
    compile_imports(environment)
    environment.stamp.write_text(environment.fingerprint(), encoding="ascii")
    say(f"{environment.folder}: done in {time.monotonic() - started:.0f} s")


def compile_imports(environment: Environment) -> None:
    """Import once what every start imports, so that its bytecode is there, whatever this shell says of that.

    Compiling is half of a first import: 4.1 s of processor time for the processes of `up`, 2.0 s once compiled.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["ORT_DISABLE_TELEMETRY"] = "1"  # else onnxruntime reports home, and writes its id into the cache folder
    imports = "; ".join(f"import {module}" for module in environment.imports)
    run([environment.path / "bin" / "python", "-c", imports], env)


def python_for(environment: Environment, uv: Path, env: dict[str, str]) -> str | None:
    """Return the interpreter of an environment: this one, or for Triton another that the machine has."""
    if not environment.for_triton or tuple(sys.version_info) < (3, 13):
        return sys.executable
    find: list[str | Path] = [uv, "python", "find", "--system", TRITON_PYTHONS]
    found = subprocess.run(find, env=env, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def find_or_install_uv(settings: IndexSettings) -> Path:
    """Return a uv of the pinned version: this checkout's, else one on PATH, else a new one from the index."""
    version = pinned_uv()
    candidates = [UV_FOLDER / "bin" / "uv", Path(shutil.which("uv") or "/nonexistent")]
    for candidate in candidates:
        if uv_version(candidate) == version:
            return candidate
    say(f"uv {version} into {UV_FOLDER.name}")
    if importlib.util.find_spec("ensurepip") is not None:
        install_uv_with_pip()
    else:  # Debian's python3 without python3-venv
        wheel_hashes = set(re.findall(r"sha256:([0-9a-f]{64})", (LOCKS / "uv.txt").read_text(encoding="utf-8")))
        download_wheel_script(settings, "uv", version, wheel_hashes, UV_FOLDER / "bin" / "uv")
    return candidates[0]


def install_uv_with_pip() -> None:
    run([sys.executable, "-m", "venv", UV_FOLDER], dict(os.environ))
    pip: list[str | Path] = [
        UV_FOLDER / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    run([*pip, "--require-hashes", "-r", LOCKS / "uv.txt"], dict(os.environ))


def pinned_uv() -> str:
    found = re.search(r"^uv==(\S+)", (LOCKS / "uv.txt").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        sys.exit("requirements/uv.txt pins no uv; restore it from git")
    return found[1]


def uv_version(uv: Path) -> str | None:
    if not os.access(uv, os.X_OK):
        return None
    answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    return words[1] if answer.returncode == 0 and len(words) > 1 else None


def uv_environment(settings: IndexSettings) -> dict[str, str]:
    """Return the environment uv runs in: pip's index, this Python, and a cache that can be written."""
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PYTHON")}
    env = settings.for_uv() | env  # who set uv's own variables meant them
    env["UV_PYTHON_DOWNLOADS"] = "never"
    env["UV_NO_CONFIG"] = "1"
    env["TMPDIR"] = str(UV_FOLDER)  # where a build leaves its lock file
    if "UV_CACHE_DIR" not in env and not home_is_writable(env):
        env["UV_CACHE_DIR"] = str(UV_FOLDER / "cache")
    return env


def home_is_writable(env: dict[str, str]) -> bool:
    return os.access(env.get("XDG_CACHE_HOME") or env.get("HOME") or "/nonexistent", os.W_OK)


def run(command: list[str | Path], env: dict[str, str]) -> None:
    result = subprocess.run([str(word) for word in command], cwd=ROOT, env=env, check=False)
    if result.returncode != 0:
        words = " ".join(str(word) for word in command[:4])
        sys.exit(f"set-up stopped: `{words} …` ended with {result.returncode}; its own message stands above")


def say(text: str) -> None:
    sys.stdout.write(f"set-up: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
