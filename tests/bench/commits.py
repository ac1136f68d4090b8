"""What a commit costs, beside other ways to make one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import git
from rich.table import Table

from intents.kinds import Kind
from intents.writing import dump
from reconciler.ports.repository import MAIN, NewCommit, Signature
from reconciler.stores.git.repository import GitRepository
from tests.bench.tables import table, timed

COMMITS = 200
WHO = Signature("bench", "bench@localhost")


def tables(folder: Path) -> Iterator[Table]:
    """Measure commits."""
    yield measure_commits(folder)


def measure_commits(folder: Path) -> Table:
    """One intent a commit, in one pack, fsynced, beside GitPython and the git command in a work tree."""
    ordain = _commit_by_ordain(folder / "ordain.git") / COMMITS
    gitpython = _commit_by_gitpython(folder / "gitpython") / COMMITS
    command = _commit_by_command(folder / "command") / COMMITS
    found = table(f"{COMMITS} commits of one intent each", "by", "ms a commit", "ordain is faster")
    found.add_row("ordain: one pack, staging ref, fsynced", f"{1000 * ordain:.2f}", "")
    found.add_row("GitPython index.add + commit", f"{1000 * gitpython:.2f}", f"{gitpython / ordain:.1f} times")
    found.add_row("git add + git commit", f"{1000 * command:.2f}", f"{command / ordain:.1f} times")
    return found


def _intent(number: int) -> tuple[str, bytes]:
    path = f"tenants/acme/projects/fraud/runs/2026-11-23/run-{number}.yaml"
    return path, dump(Kind.RUN, {"template": "hello@1.0.0", "parameters": {"echo": f"run {number}"}})


def _commit_by_ordain(path: Path) -> float:
    repository = GitRepository.create(path)

    def write() -> None:
        at = datetime.now(UTC)
        commits = [NewCommit(WHO, WHO, at, f"Run {number}\n", dict([_intent(number)])) for number in range(COMMITS)]
        repository.move(MAIN, None, repository.append("bench", None, commits)[-1])

    return timed(write)[0]


def _commit_by_gitpython(path: Path) -> float:
    repository = git.Repo.init(path)

    def write() -> None:
        for number in range(COMMITS):
            name = _write_file(path, number)
            repository.index.add([name])
            repository.index.commit(f"Run {number}")

    return timed(write)[0]


def _commit_by_command(path: Path) -> float:
    git.Repo.init(path)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]

    def write() -> None:
        for number in range(COMMITS):
            name = _write_file(path, number)
            subprocess.run(["git", "add", name], cwd=path, check=True)
            subprocess.run(["git", *identity, "commit", "-qm", f"Run {number}"], cwd=path, check=True)

    return timed(write)[0]


def _write_file(folder: Path, number: int) -> str:
    name, body = _intent(number)
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return name
