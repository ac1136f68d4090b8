"""Workflows run by act: on this machine, without Docker, with doubles for the actions they use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TIMEOUT_SECONDS = 90
MERGED = "refs/remotes/pull/7/merge"
IDENTITY = ("-c", "user.name=Ana", "-c", "user.email=ana@acme.example", "-c", "commit.gpgsign=false")

# What GitHub's action does with these inputs, from a folder instead of a network. act itself stands in for
# the checkout of the repository a workflow runs in.
CHECKOUT = """
name: checkout
description: A double.
inputs:
  path: {description: Where to.}
runs:
  using: composite
  steps:
    - shell: bash
      env: {TARGET: "${{ inputs.path }}"}
      run: ln -s "$ORDAIN_SOURCE" "$TARGET"
"""
UPLOAD_SARIF = """
name: upload-sarif
description: A double.
inputs:
  sarif_file: {description: What to upload.}
runs:
  using: composite
  steps:
    - shell: bash
      env: {FILE: "${{ inputs.sarif_file }}"}
      run: cp "$FILE" "$UPLOADED_SARIF"
"""


@dataclass(frozen=True)
class Ran:
    """How a run of act ended."""

    succeeded: bool
    output: str


@dataclass(frozen=True)
class Act:
    """act in a folder of its own: nothing of it is left elsewhere."""

    folder: Path

    @property
    def uploaded(self) -> Path:
        """Where the double of upload-sarif leaves what it was given."""
        return self.folder / "uploaded.sarif"

    def run(
        self,
        repository: Path,
        *words: str,
        event: Mapping[str, Any],
        env: Mapping[str, str] | None = None,
        commands: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run the workflows of a pull request; `commands` are scripts found before the machine's own."""
        events = self.folder / "event.json"
        events.write_text(json.dumps(event))
        values = {"ORDAIN_SOURCE": str(ROOT), "UPLOADED_SARIF": str(self.uploaded), **(env or {})}
        command: list[str | Path] = [
            *(BIN / "act", "pull_request", "--directory", repository, "--eventpath", events),
            *("-P", "ubuntu-24.04=-self-hosted", "-P", "ubuntu-latest=-self-hosted", "--no-cache-server"),
            *("--action-cache-path", self.folder / "cache"),
            *(word for item in self._doubles().items() for word in ("--local-repository", "=".join(item))),
            *(word for item in values.items() for word in ("--env", "=".join(item))),
            *words,
        ]
        return bounded(command, self._environment(commands or {}))

    def _doubles(self) -> dict[str, str]:
        """Return a folder for each action that the workflows use, at the commits they pin."""
        doubles = {"actions/checkout": ("", CHECKOUT), "github/codeql-action": ("upload-sarif", UPLOAD_SARIF)}
        found: dict[str, str] = {}
        for name, (place, content) in doubles.items():
            folder = self.folder / "actions" / name
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / "action.yml").write_text(content)
            found |= {f"{name}@{commit}": str(folder) for commit in pinned(name)}
        return found

    def _environment(self, commands: Mapping[str, str]) -> dict[str, str]:
        """Return the machine's PATH and nothing else that could change what a workflow does."""
        first = self.folder / "bin"
        first.mkdir(exist_ok=True)
        # The interpreter that built this checkout's environments: another one would build them anew.
        for name, script in {"python3": f'exec "{sys.executable}" "$@"', **commands}.items():
            (first / name).write_text(f"#!/bin/sh\n{script}\n")
            (first / name).chmod(0o755)
        path = f"{first}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.folder), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def bounded(command: Sequence[str | Path], env: Mapping[str, str], seconds: float = TIMEOUT_SECONDS) -> Ran:
    """Run a command; when it takes too long, end it with all it started, and raise TimeoutExpired."""
    words = [str(word) for word in command]
    with subprocess.Popen(words, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        finally:
            _end(process.pid)
    return Ran(process.returncode == 0, output)


def _end(pid: int) -> None:
    """Kill a process that still runs with all below it: act gives each step a session of its own."""
    try:
        first = psutil.Process(pid)
        processes = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes[1:], timeout=10)


def pinned(action: str) -> set[str]:
    """Return every commit at which this checkout's workflows use an action."""
    files = (ROOT / ".github").rglob("*.yml")
    lines = [line.split() for file in files for line in file.read_text().splitlines() if f"uses: {action}" in line]
    return {word.partition("@")[2] for line in lines for word in line if word.startswith(action)}


def git(repository: Path, *words: str) -> str:
    """Run git in a repository of a test, and return what it says."""
    command = ["git", *IDENTITY, "-C", str(repository), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def repository_of(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Make a repository on a forge: `main` with these files."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", "https://github.com/acme/intents")
    write(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Begin")
    return folder


def pull_request(repository: Path, changes: Mapping[str, bytes | None]) -> dict[str, Any]:
    """Propose a change, or add to the one proposed; check out the forge's merge commit of it, return the event."""
    base = git(repository, "rev-parse", "main")
    known = git(repository, "branch", "--list", "change")
    git(repository, "switch", "--quiet", "change" if known else "--create=change")
    write(repository, changes)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=Change")
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "switch", "--quiet", "--detach", "main")
    git(repository, "merge", "--quiet", "--no-ff", "--message=Merge", "change")
    number = 7
    request = {"number": number, "head": {"ref": "change", "sha": head}, "base": {"ref": "main", "sha": base}}
    return {"action": "opened", "number": number, "pull_request": request}


def checked_out(repository: Path, folder: Path) -> Path:
    """Return a new checkout as actions/checkout makes it with fetch-depth 2: two commits deep, on no branch."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    git(folder, "fetch", "--quiet", "--depth=2", f"file://{repository}", f"HEAD:{MERGED}")
    git(folder, "checkout", "--quiet", "--detach", MERGED)
    git(folder, "remote", "add", "origin", git(repository, "remote", "get-url", "origin"))
    return folder


def write(folder: Path, files: Mapping[str, bytes | None]) -> None:
    """Write files; None removes one."""
    for path, body in files.items():
        file = folder / path
        if body is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)


def this_checkout() -> dict[str, bytes]:
    """Return every file of this checkout that git knows or would add."""
    names = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    return {name: (ROOT / name).read_bytes() for name in names if (ROOT / name).is_file()}
