"""Git on a running platform, through the edge: a person's own clone, and what becomes of what they push."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from intents.kinds import Kind
from intents.writing import dump
from reconciler.services.settings import PostgresRole
from tests.e2e.harness import BASE_DOMAIN, RunningPlatform, Tenant, until
from tests.fixtures.git_world import ENVIRONMENT
from tests.support.act import write

pytestmark = pytest.mark.parts

PERSON = "local@localhost"
RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
WRITERS, EVERY = 20, 0.2
"""Twenty writers, each five times a second: 100 writes/s, or what the machine can do of that."""


@dataclass(frozen=True)
class Clone:
    """A person's clone."""

    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start git."""
        person = ("-c", "user.name=Ana", "-c", "user.email=ana@acme.example")
        pipe = subprocess.PIPE
        return subprocess.Popen(
            ("git", *person, *words), cwd=self.folder, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True
        )

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run git; what it and the other side say is in `stderr`."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def did(self, *words: str) -> str:
        done = self.git(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def commit(self, files: Mapping[str, bytes], message: str) -> str:
        write(self.folder, files)
        self.did("add", "--all")
        self.did("commit", "--quiet", f"--message={message}")
        return self.did("rev-parse", "HEAD")

    def push(self) -> subprocess.CompletedProcess[str]:
        return self.git("push", "origin", "main")

    def pushed(self) -> str:
        """Push, and return what was said."""
        done = self.push()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def forget(self) -> None:
        """Go back to what main holds."""
        self.did("fetch", "--quiet")
        self.did("reset", "--quiet", "--hard", "origin/main")


def address(platform: RunningPlatform, host: str = BASE_DOMAIN) -> str:
    return f"http://{host}:{platform.settings.edge_port}/git/ordain.git"


@pytest.fixture
def clone(platform: RunningPlatform, tmp_path: Path) -> Clone:
    Clone(tmp_path).did("clone", "--quiet", address(platform), "clone")
    return Clone(tmp_path / "clone")


def run(template: str = "hello@1.0.0", **parameters: object) -> bytes:
    return dump(Kind.RUN, {"template": template, "parameters": parameters})


def subjects(platform: RunningPlatform) -> list[str]:
    """Return the subjects of main's commits, newest first."""
    return [str(each.summary) for each in platform.repository.iter_commits("main")]


def test_a_pushed_run_runs(platform: RunningPlatform, acme: Tenant, clone: Clone) -> None:
    pushed = clone.commit({f"{RUNS}/by-git.yaml": run(echo="git")}, "Run hello by git")
    said = clone.pushed()
    assert f"remote: {pushed[:10]} (Run hello by git) is " in said
    acme.succeeded("by-git")
    made = platform.repository.commit("main")
    assert (made.author.name, made.committer.name) == ("Ana", "ordain")
    assert f"\nOrdain-Pushed-By: {PERSON}\n" in str(made.message)
    clone.did("pull", "--quiet", "--rebase")
    assert clone.did("rev-parse", "HEAD") == made.hexsha


def test_a_refused_push_says_why_and_where(platform: RunningPlatform, clone: Clone) -> None:
    before = platform.repository.commit("main").hexsha
    clone.commit({f"{RUNS}/bad.yaml": run("hullo@1.0.0")}, "Run hullo")
    done = clone.push()
    assert done.returncode == 1
    assert f"remote: {RUNS}/bad.yaml:4:13: error[unknown-template]" in done.stderr
    assert "remote:   4 |   template: hullo@1.0.0" in done.stderr
    assert "! [remote rejected] main -> main (1 problem: unknown-template)" in done.stderr
    assert platform.repository.commit("main").hexsha == before


def test_a_push_gets_through_under_100_writes_a_second(platform: RunningPlatform, clone: Clone) -> None:
    with writing(platform) as written:
        for number in range(3):
            count = 100 * (number + 1)
            until(lambda count=count: len(written) > count, "others to write")  # type: ignore[misc]
            clone.commit({f"templates/hello/1.0.0/note-{number}.txt": b"note\n"}, f"Note {number}")
            clone.pushed()
    assert [each for each in subjects(platform) if each.startswith("Note ")] == ["Note 2", "Note 1", "Note 0"]
    clone.did("pull", "--quiet", "--rebase")
    assert clone.did("rev-parse", "HEAD") == platform.repository.commit("main").hexsha


@contextmanager
def writing(platform: RunningPlatform) -> Iterator[list[str]]:
    """Let others write to main, 100 times a second; yield the commits that they are told."""
    written: list[str] = []
    done = threading.Event()
    threads = [threading.Thread(target=_write, args=(platform, name, written, done)) for name in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield written
    finally:
        done.set()
        for thread in threads:
            thread.join(timeout=60)


def _write(platform: RunningPlatform, name: int, written: list[str], done: threading.Event) -> None:
    """Write one file of their own, again and again, a turn every EVERY seconds."""
    due = time.monotonic() + EVERY * name / WRITERS
    path = f"templates/hello/1.0.0/theirs-{name}.txt"
    with httpx.Client(base_url=platform.address, headers={"host": BASE_DOMAIN}, timeout=60, trust_env=False) as client:
        while not done.wait(max(0.0, due - time.monotonic())):
            due += EVERY
            body = {"subject": "Theirs", "writes": [{"path": path, "content": str(len(written))}]}
            answer = client.post("/api/v1/changes?wait=30", json=body)
            assert answer.is_success, answer.text
            written.append(answer.json()["commit"])


def test_more_than_fits_is_refused_in_words(clone: Clone) -> None:
    clone.commit({"templates/hello/1.0.0/large.bin": os.urandom(33 << 20)}, "Large")
    done = clone.push()
    assert done.returncode == 1
    assert "remote: fatal: pack exceeds maximum allowed size (32.00 MiB)" in done.stderr


def test_nobody_writes_beyond_their_roles_whatever_they_say_they_are(clone: Clone) -> None:
    path = "tenants/acme/projects/fraud/project.yaml"
    clone.commit({path: dump(Kind.PROJECT, {"cluster": "local", "quota": {"cpus": 64}})}, "More for us")
    done = clone.git("-c", "http.extraHeader=X-Forwarded-Groups: acme-admins", "push", "origin", "main")
    assert done.returncode == 1
    assert f"remote: {path}: error[forbidden]: {PERSON} may not change this; members of acme" in done.stderr


def test_tenants_have_no_git(platform: RunningPlatform, clone: Clone) -> None:
    for words in (("ls-remote",), ("push",)):
        done = clone.git(*words, address(platform, "acme.ml.localhost"))
        assert done.returncode != 0
        assert "remote: git is for platform admins, at ml.localhost" in done.stderr


def test_a_push_cut_off_between_queue_and_answer_is_repeated_and_written_once(
    platform: RunningPlatform, clone: Clone
) -> None:
    for number in range(3):
        clone.commit({f"templates/hello/1.0.0/cut-{number}.txt": b"cut\n"}, f"Cut {number}")
    with stopped(platform, "writer"):
        with clone.start("push", "origin", "main") as pushing:
            until(lambda: waiting(platform) >= 3, "the push to be in the queue")
            platform.kill_and_wait("api")
            _, said = pushing.communicate(timeout=60)
        assert pushing.returncode != 0, said
    clone.pushed()
    clone.pushed()
    assert [each for each in subjects(platform) if each.startswith("Cut ")] == ["Cut 2", "Cut 1", "Cut 0"]


@contextmanager
def stopped(platform: RunningPlatform, name: str) -> Iterator[None]:
    """Let a process of the platform stand still."""
    pid = platform.part(name).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def waiting(platform: RunningPlatform) -> int:
    """Return how many requests the writer has not taken yet."""
    with psycopg.connect(platform.settings.postgres_dsn(PostgresRole.WORKER)) as connection:
        row = connection.execute("SELECT count(*) FROM write_requests WHERE state = 'waiting'").fetchone()
    return int(row[0]) if row else 0
