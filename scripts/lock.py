"""Write requirements/*.txt anew: the newest versions that fit, for all platforms, each file with its hash."""

from __future__ import annotations

from pathlib import Path

from package_index import IndexSettings
from setup import LOCKS, ROOT, find_or_install_uv, run, say, uv_environment

# One lock a line: its sources, as uv reads them. uv locks itself, so that set-up can check its hash.
SOURCES: dict[str, list[str]] = {
    "uv.txt": ["requirements/uv.in"],
    "control.txt": ["pyproject.toml", "--group", "build", "--group", "dev"],
    "tasks.txt": ["requirements/tasks.in"],
    "triton.txt": ["requirements/triton.in"],
}
OPTIONS = [
    "--quiet",
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--upgrade",
]


def main() -> None:
    settings = IndexSettings.of_pip()
    uv = find_or_install_uv(settings)
    for lock, sources in SOURCES.items():
        say(f"locking {lock}")
        compile_lock(uv, sources, LOCKS / lock, uv_environment(settings))


def compile_lock(uv: Path, sources: list[str], lock: Path, env: dict[str, str]) -> None:
    command: list[str | Path] = [uv, "pip", "compile", *OPTIONS, "--custom-compile-command", "make lock"]
    run([*command, *sources, "--output-file", lock.relative_to(ROOT)], env)


if __name__ == "__main__":
    main()
