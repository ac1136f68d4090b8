"""A state repository in a temporary folder, with a small tree in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from intents.identity import identify
from intents.writing import dump
from reconciler.ports.repository import MAIN, NewCommit, Signature
from reconciler.stores.git.repository import GitRepository
from tests.fixtures.trees import DEPLOYMENT, GLOBEX, ROLLOUT, RUN, TRAIN, Specs, small_specs

PLATFORM = Signature("ordain", "ordain@localhost")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PACKAGE = b"pipelineInfo:\n  name: train\n"
PACKAGE_PATH = "templates/train/1.0.0/pipeline.yaml"
DEVELOPER = "dev@acme.example"
STRANGER = "gus@globex.example"


def start_specs() -> Specs:
    """Return the small tree before anybody asked for anything: no run, no deployment; globex has a member."""
    specs = {path: spec for path, spec in small_specs().items() if path not in {RUN, DEPLOYMENT, ROLLOUT}}
    specs[GLOBEX] = {**specs[GLOBEX], "members": [{"user": STRANGER, "roles": ["developer"]}]}
    specs[TRAIN] = {**specs[TRAIN], "package": {"sha256": hashlib.sha256(PACKAGE).hexdigest()}}
    return specs


def intent(path: str, spec: Mapping[str, Any]) -> bytes:
    """Return an intent as it is committed."""
    identity = identify(path)
    assert identity is not None, path
    return dump(identity.kind, spec)


def commit(repository: GitRepository, files: Mapping[str, bytes | None], message: str = "Change") -> str:
    """Put a commit on main, past the writer."""
    head = repository.head()
    new = NewCommit(PLATFORM, PLATFORM, NOON, f"{message}\n", files)
    (made,) = repository.append("test", head, [new])
    repository.move(MAIN, head, made)
    return made


def merge(repository: GitRepository, first: str, second: str) -> str:
    """Make a merge with the files of `second`, on no branch."""
    command = ["git", "commit-tree", f"{second}^{{tree}}", "-p", first, "-p", second, "-m", "Merge"]
    person = {f"GIT_{role}_{what}": "ana" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(command, cwd=repository.path, env=os.environ | person, capture_output=True, check=True)
    return done.stdout.decode().strip()


def commit_links(repository: GitRepository, links: Mapping[str, str], module: str) -> str:
    """Put symbolic links and a submodule on main, as nobody can who goes through the checks."""
    base = repository.head()
    assert base is not None
    entries = "".join(f"M 120000 inline {path}\ndata {len(to)}\n{to}\n" for path, to in links.items())
    stream = (
        f"commit {MAIN}\ncommitter evil <evil@example.com> 1700000000 +0000\ndata 4\nLink\nfrom {base}\n"
        f"{entries}M 160000 {base} {module}\n"
    )
    subprocess.run(["git", "fast-import", "--quiet"], input=stream.encode(), cwd=repository.path, check=True)
    found = repository.head()
    assert found is not None
    return found


def seeded_repository(path: Path) -> GitRepository:
    """Create a repository whose main is the small tree."""
    repository = GitRepository.create(path)
    files: dict[str, bytes | None] = {name: intent(name, spec) for name, spec in start_specs().items()}
    commit(repository, {**files, PACKAGE_PATH: PACKAGE}, "Seed")
    return repository
