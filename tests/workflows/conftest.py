"""What the tests of workflows start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.act import ROOT, Act, repository_of
from tests.support.github import GitHub, github


@pytest.fixture
def act(tmp_path: Path) -> Act:
    folder = tmp_path / "act"
    folder.mkdir()
    return Act(folder)


@pytest.fixture
def forge() -> Iterator[GitHub]:
    with github() as served:
        yield served


@pytest.fixture
def intents(tmp_path: Path) -> Path:
    """Make a tenant's repository: the shipped intents, and workflows that call ordain's."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for folder in ("platform", "tenants", "templates")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    return repository_of(tmp_path / "intents", {**files, ".github/workflows/intents.yml": CALLER})


CALLED = "example/ordain@0123456789012345678901234567890123456789"
_OWNER, _, _COMMIT = CALLED.partition("@")
CALLER = f"""
name: intents
on: pull_request
permissions: {{}}
jobs:
  validate:
    uses: {_OWNER}/.github/workflows/validate.yml@{_COMMIT}
    permissions:
      contents: read
      actions: read
      security-events: write
  plan:
    uses: {_OWNER}/.github/workflows/plan.yml@{_COMMIT}
    permissions:
      contents: read
      pull-requests: write
""".encode()
"""The workflow that docs/ci.md shows."""
