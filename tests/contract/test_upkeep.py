"""The Upkeep port on a real bare repository, beside those who read and write it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.planning.upkeep import MOST_PACKS, Chore, StoreState, chores
from reconciler.ports.errors import Conflict, Waiting
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.stores.git.leftovers import LOCK_SECONDS, SURELY_SECONDS, UNFINISHED_SECONDS
from reconciler.stores.git.locks import locked
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.git.upkeep import LOCK, GitUpkeep
from tests.support.repositories import NOON, PLATFORM

ROOT = Path(__file__).resolve().parents[2]
COMMITS = 5
"""Of one pack."""


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "state.git")


def write(repository: GitRepository, packs: int) -> None:
    """Put commits on main as the writer does, a file each, so many packs of them."""
    head = repository.head()
    first = 0 if head is None else len(list(repository.files(head)))
    numbers = itertools.count(first)
    for _ in range(packs):
        files = [{f"folder-{number % 7}/{number:05}.yaml": f"text {number}\n".encode()} for number in _some(numbers)]
        ids = repository.append("test", head, [NewCommit(PLATFORM, PLATFORM, NOON, "Add\n", each) for each in files])
        repository.move(MAIN, head, ids[-1])
        head = ids[-1]


def _some(numbers: Iterator[int]) -> Iterator[int]:
    return itertools.islice(numbers, COMMITS)


def everything(repository: GitRepository) -> dict[str, bytes]:
    """Read every commit and every file."""
    head = repository.head() or ""
    assert len(repository.between(None, head)) == len(list(repository.files(head)))
    return {file.path: repository.blob(file.blob or "") for file in repository.files(head)}


def is_sound(repository: GitRepository) -> None:
    for words in (("fsck", "--full", "--strict"), ("commit-graph", "verify"), ("multi-pack-index", "verify")):
        done = subprocess.run(["git", *words], cwd=repository.path, capture_output=True, check=False)
        assert (done.returncode, b"error" in done.stderr) == (0, False), done.stderr


def state(upkeep: GitUpkeep) -> StoreState:
    return asyncio.run(upkeep.state())


def do(upkeep: GitUpkeep, *wanted: Chore) -> None:
    for chore in wanted or chores(state(upkeep)):
        asyncio.run(upkeep.do(chore))


def test_many_packs_become_few_and_nothing_is_lost(repository: GitRepository) -> None:
    upkeep = GitUpkeep(repository.path)
    assert state(upkeep) == StoreState(0, 0, 0, None)
    write(repository, MOST_PACKS)
    before = everything(repository)
    assert (state(upkeep).packs, state(upkeep).rested) == (MOST_PACKS, None)
    do(upkeep)
    after = state(upkeep)
    assert after.packs <= 2
    assert after.rested is not None
    assert chores(after) == ()
    assert everything(repository) == before
    is_sound(repository)


def test_a_commits_paths_are_in_the_graph(repository: GitRepository) -> None:
    write(repository, 3)
    do(GitUpkeep(repository.path), Chore.REPACK, Chore.GRAPH)
    write(repository, 2)
    do(GitUpkeep(repository.path), Chore.GRAPH)
    (repository.path / "objects" / "info" / "commit-graphs" / "commit-graph-chain").read_text()
    words = ["git", "log", "--format=%s", "main", "--", "folder-3/00003.yaml"]
    found = subprocess.run(words, cwd=repository.path, capture_output=True, check=True)
    assert found.stdout == b"Add\n"
    is_sound(repository)


READER = """
import gc, sys
from pathlib import Path
from reconciler.stores.git.repository import GitRepository
repository = GitRepository(Path(sys.argv[1]))
first = repository.head()
old = [file.blob for file in repository.files(first)]
print("ready", flush=True)
rounds = 0
while not (repository.path / "enough").exists():
    head = repository.head()
    new = [file.blob for file in repository.files(head)]
    assert all(repository.blob(blob) for blob in old)
    assert all(repository.blob(blob) for blob in new)
    assert len(repository.between(first, head)) == len(new) - len(old)
    rounds += 1
repository.head()
gc.collect()
held = Path("/proc/self/maps").read_text().count(".pack (deleted)")
print(rounds, held, flush=True)
"""


def test_a_reader_in_another_process_notices_nothing(repository: GitRepository) -> None:
    upkeep = GitUpkeep(repository.path)
    write(repository, 5)
    do(upkeep, Chore.REPACK)
    write(repository, 5)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(repository.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for _ in range(4):
        write(repository, 5)
        do(upkeep, Chore.REPACK)
    (repository.path / "enough").touch()
    said, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    rounds, held = map(int, said.split())
    assert rounds > 0
    assert held <= 10, "packs that are gone are let go, but for those of the last time"


HOST = """
import asyncio, sys
from pathlib import Path
from reconciler.planning.upkeep import Chore
from reconciler.stores.git.upkeep import GitUpkeep
asyncio.run(GitUpkeep(Path(sys.argv[1])).do(Chore.REPACK))
"""


def start(repository: GitRepository, git: Path | None = None) -> subprocess.Popen[bytes]:
    """Begin to repack in a process of its own, in a session of its own."""
    path = os.environ["PATH"] if git is None else f"{git}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-c", HOST, str(repository.path)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, env={**os.environ, "PATH": path})


@pytest.mark.parametrize("step", range(3))
def test_killed_in_the_middle_it_leaves_the_repository_whole(repository: GitRepository, step: int) -> None:
    write(repository, 10)
    before = everything(repository)
    began = time.monotonic()
    assert start(repository).wait(60) == 0
    whole = time.monotonic() - began
    write(repository, 10)
    host = start(repository)
    time.sleep(whole * (0.6 + 0.15 * step))
    os.killpg(host.pid, signal.SIGKILL)
    host.wait()
    write(repository, 2)
    assert everything(repository).items() >= before.items()
    make_old(repository)
    do(GitUpkeep(repository.path), Chore.SWEEP, Chore.REPACK, Chore.GRAPH)
    assert state(GitUpkeep(repository.path)).leftovers == 0
    is_sound(repository)


def make_old(repository: GitRepository) -> None:
    """Let everything have been still for long."""
    for each in repository.path.rglob("*"):
        os.utime(each, (0, 0))


@contextmanager
def slow_git(folder: Path) -> Iterator[Path]:
    """A git that waits until it is told to go on."""
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\ntouch {folder}/began\nwhile [ ! -e {folder}/go ]; do sleep 0.02; done\n")
    program.chmod(0o755)
    yield folder
    (folder / "go").touch()


def until(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_kept_out(repository: GitRepository) -> bool:
    try:
        with locked(repository.path, LOCK):
            return False
    except Conflict:
        return True


def test_one_at_a_time_also_when_its_parent_is_dead(repository: GitRepository, tmp_path: Path) -> None:
    write(repository, 2)
    with slow_git(tmp_path / "slow") as slow:
        host = start(repository, slow)
        until(slow / "began")
        with pytest.raises(Conflict, match="upkeep"):
            do(GitUpkeep(repository.path), Chore.REPACK)
        host.kill()
        host.wait()
        assert is_kept_out(repository), "its git is still at work"
    deadline = time.monotonic() + 30
    while is_kept_out(repository):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    do(GitUpkeep(repository.path), Chore.REPACK)


def test_a_git_that_fails_is_told(repository: GitRepository) -> None:
    write(repository, 2)
    (repository.path / "objects" / "pack" / "multi-pack-index.lock").touch()
    with pytest.raises(Waiting, match="multi-pack-index"):
        do(GitUpkeep(repository.path), Chore.REPACK)
    assert len(everything(repository)) == 2 * COMMITS


LEFT = {
    "fast_import_crash_1": UNFINISHED_SECONDS,
    "objects/pack/tmp_pack_1": UNFINISHED_SECONDS,
    "objects/pack/.tmp-1-pack-1": UNFINISHED_SECONDS,
    "objects/info/commit-graphs/tmp_graph_1": UNFINISHED_SECONDS,
    "refs/heads/change/one.lock": LOCK_SECONDS,
    "packed-refs.lock": LOCK_SECONDS,
    "objects/pack/multi-pack-index.lock": LOCK_SECONDS,
    "objects/tmp_objdir-incoming-1/pack/tmp_pack_1": SURELY_SECONDS,
}


def test_only_what_is_abandoned_is_swept(repository: GitRepository) -> None:
    write(repository, 1)
    kept = {each for each in repository.path.rglob("*") if each.is_file()}
    upkeep = GitUpkeep(repository.path)
    for left, seconds in LEFT.items():
        file = repository.path / left
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        for path in (file, file.parent, file.parent.parent):
            os.utime(path, (time.time() - seconds + 5,) * 2)
    assert state(upkeep).leftovers == 0, "it may be somebody's who is at work"
    make_old(repository)
    with (repository.path / "objects/pack/tmp_pack_1").open("rb"):
        assert state(upkeep).leftovers == len(LEFT) - 1, "somebody has one open"
        do(upkeep, Chore.SWEEP)
    assert state(upkeep).leftovers == 1
    do(upkeep, Chore.SWEEP)
    assert {each for each in repository.path.rglob("*") if each.is_file()} - kept == {
        repository.path / f"{LOCK}.lock-file"
    }
