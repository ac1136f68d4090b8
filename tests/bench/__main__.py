"""`make bench`: what the line costs on this machine, as tables. Bounded: about three minutes on two quiet cores."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import git
import yaml
from rich.console import Console
from rich.table import Table

from intents.kinds import Kind
from intents.reading import read
from intents.writing import dump
from reconciler.ports.repository import MAIN, NewCommit, Signature
from reconciler.stores.git.repository import GitRepository
from tests.e2e.harness import RunningPlatform, Tenant, until

T = TypeVar("T")

RUNS = 50
DEPLOYMENTS = 6
COMMITS = 200
READS = 1000
WHO = Signature("bench", "bench@localhost")
MIB = 1 << 20


def timed(step: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds a step took, and what it returned."""
    began = time.perf_counter()
    result = step()
    return time.perf_counter() - began, result


def percentiles(seconds: Sequence[float]) -> tuple[str, str]:
    """Return p50 and p99 in milliseconds; of few values p99 is the slowest."""
    ordered = sorted(seconds)
    slowest = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return f"{1000 * statistics.median(ordered):.0f} ms", f"{1000 * slowest:.0f} ms"


def table(title: str, *columns: str) -> Table:
    """Return an empty table, its first column for words and the rest for figures."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        made.add_column(name, justify="right" if position else "left")
    return made


def measure_start(running: RunningPlatform) -> Table:
    """First start (databases are made), and a start on what is there."""
    found = table("up → ready", "start", "seconds")
    found.add_row("first", f"{timed(running.up)[0]:.1f}")
    running.down()
    found.add_row("again", f"{timed(running.up)[0]:.1f}")
    return found


def measure_memory(running: RunningPlatform) -> Table:
    """PSS of every part with nothing deployed."""
    status = running.status()
    found = table("idle memory (PSS), nothing deployed", "part", "MiB")
    for part in status.parts:
        found.add_row(part.name, f"{part.memory / MIB:.0f}")
    found.add_row("all", f"{status.memory / MIB:.0f}")
    return found


def measure_runs(acme: Tenant) -> Table:
    """POST → committed (the answer of ?wait=) and POST → submitted (the ledger's own clock)."""
    committed, submitted = [], []
    for number in range(RUNS):
        asked = datetime.now(UTC)
        seconds, _ = timed(lambda number=number: acme.start_run("hello@1.0.0", f"bench-{number}"))  # type: ignore[misc]
        run = acme.succeeded(f"bench-{number}")
        committed.append(seconds)
        submitted.append((datetime.fromisoformat(run["submitted_at"]) - asked).total_seconds())
    found = table(f"POST run, {RUNS} one after another, through Envoy", "until", "p50", "p99")
    found.add_row("committed", *percentiles(committed))
    found.add_row("submitted", *percentiles(submitted))
    return found


def measure_deployments(acme: Tenant) -> Table:
    """PUT of another version → the first answer by that version, through Envoy."""
    models = [acme.make_scaler("bench", 2), acme.make_scaler("bench", 3)]
    acme.deploy("bench", "v0", models[0])
    acme.settled("bench", "v0")
    seconds = []
    for number in range(1, DEPLOYMENTS + 1):
        wanted = float(2 + number % 2)
        began = time.perf_counter()
        acme.deploy("bench", f"v{number}", models[number % 2])
        until(lambda wanted=wanted: acme.scaled("bench", "bench") == wanted, "the new version to answer")  # type: ignore[misc]
        seconds.append(time.perf_counter() - began)
        acme.settled("bench", f"v{number}")
    found = table(f"commit → served change, {DEPLOYMENTS} replacements", "until", "p50", "p99")
    found.add_row("first answer by the new version", *percentiles(seconds))
    return found


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


def measure_reading() -> Table:
    """Reading with places, strict rules and validation, beside PyYAML alone."""
    intents = [_intent(number) for number in range(READS)]
    ordain = timed(lambda: [read(path, body) for path, body in intents])[0]
    plain = timed(lambda: [yaml.load(body, yaml.CSafeLoader) for _, body in intents])[0]
    pure = timed(lambda: [yaml.safe_load(body) for _, body in intents])[0]
    found = table(f"reading {READS} intents", "by", "a second", "ordain against it")
    found.add_row("ordain: strict, validated, with places", f"{READS / ordain:.0f}", "")
    found.add_row("yaml.load, CSafeLoader: values alone", f"{READS / plain:.0f}", f"{plain / ordain:.2f} times")
    found.add_row("yaml.safe_load: values alone", f"{READS / pure:.0f}", f"{pure / ordain:.2f} times")
    return found


def main() -> None:
    """Measure everything on a platform of its own, and leave nothing running."""
    console = Console()
    console.print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory(prefix="ordain-bench-") as folder:
        console.print(measure_reading(), measure_commits(Path(folder)))
        running = RunningPlatform.seeded_at(Path(folder) / "root")
        try:
            console.print(measure_start(running), measure_memory(running))
            console.print(measure_runs(running.tenant("acme")))
            console.print(measure_deployments(running.tenant("acme")))
        finally:
            running.down()


if __name__ == "__main__":
    main()
