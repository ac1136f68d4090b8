"""The hook of .pre-commit-hooks.yaml, run by pre-commit at commits of a tenant's repository.

`language: system` takes this checkout's `ordain`; all else of the hook is as it is shipped.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.act import BIN, IDENTITY, ROOT, git, repository_of, write
from tests.workflows.test_pull_requests import BAD, GOOD, PROJECT, RUN


@pytest.fixture
def hooked(intents: Path, tmp_path: Path) -> Path:
    """Make the tenant's repository one with the hook installed, from a repository with only the hook's file."""
    shipped = ".pre-commit-hooks.yaml"
    source = repository_of(tmp_path / "ordain", {shipped: (ROOT / shipped).read_bytes()})
    config = (
        f"repos:\n- repo: {source}\n  rev: {git(source, 'rev-parse', 'HEAD')}\n"
        "  hooks:\n  - id: ordain-validate\n    language: system\n"
    )
    write(intents, {".pre-commit-config.yaml": config.encode()})
    git(intents, "add", "--all")
    git(intents, "commit", "--quiet", "--message=Validate at each commit")
    run(intents, str(BIN / "pre-commit"), "install")
    return intents


def run(repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(repository.parent),
        "PRE_COMMIT_HOME": str(repository.parent / "pre-commit"),
    }
    return subprocess.run(words, cwd=repository, env=env, capture_output=True, text=True, timeout=120, check=False)


def commit(repository: Path) -> subprocess.CompletedProcess[str]:
    git(repository, "add", "--all")
    return run(repository, "git", *IDENTITY, "commit", "--message=Change")


def test_a_good_commit_passes(hooked: Path) -> None:
    write(hooked, GOOD)
    done = commit(hooked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ordain validate" in done.stderr + done.stdout


def test_a_bad_commit_is_refused_with_every_problem(hooked: Path) -> None:
    before = git(hooked, "rev-parse", "HEAD")
    write(hooked, BAD)
    done = commit(hooked)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert RUN in said
    assert "unknown-template" in said
    assert PROJECT in said
    assert "immutable-field" in said
    assert git(hooked, "rev-parse", "HEAD") == before


def test_a_commit_without_intents_is_not_looked_at(hooked: Path) -> None:
    write(hooked, {"README.md": b"Ours.\n"})
    done = commit(hooked)
    assert done.returncode == 0
    assert "Skipped" in done.stdout + done.stderr
