"""What `ordain rebuild` and `ordain adopt` say, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from api.main import main
from reconciler.ports.errors import Waiting
from reconciler.services.settings import Settings
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.past_runs import Recalled
from reconciler.workers.rebuild import Adopted, NothingToDo, Rebuilt


class Work:
    """What is done, as the commands see it."""

    def __init__(self, repository: GitRepository) -> None:
        self.repository = repository
        self.error: Exception | None = None

    async def rebuild(self) -> Rebuilt:
        if self.error:
            raise self.error
        return Rebuilt("c" * 40, 1234, Recalled(5, 2))

    async def adopt(self, commit: str) -> Adopted:
        if self.error:
            raise self.error
        return Adopted(commit, [f"tenants/t{number:02}/tenant.yaml" for number in range(25)], ())


@pytest.fixture
def work(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> Work:
    made = Work(repository)

    @asynccontextmanager
    async def rebuilding(_: Settings) -> AsyncIterator[Work]:
        yield made

    monkeypatch.setattr(Settings, "load", lambda layout: cast("Settings", layout))
    monkeypatch.setattr("api.composition.rebuild.rebuilding", rebuilding)
    return made


def say(*words: str, root: Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, [*words, "--root", str(root)])
    return done.exit_code, done.output


def test_without_a_platform_there_is_nothing_to_rebuild(tmp_path: Path) -> None:
    assert say("rebuild", root=tmp_path) == (1, f"Error: {tmp_path} has no platform yet; start one with `ordain up`\n")


def test_it_says_what_was_made_of_what(work: Work, tmp_path: Path) -> None:
    code, said = say("rebuild", root=tmp_path)
    assert (code, said.splitlines()) == (
        0,
        [
            f"projected 1,234 commits up to {'c' * 40}",
            "runs that the ledger did not know: 5 ended as their records say, how 2 did is unknown",
        ],
    )


def test_a_commit_is_adopted_by_the_beginning_of_its_id(work: Work, tmp_path: Path) -> None:
    head = work.repository.head() or ""
    code, said = say("adopt", head[:10], root=tmp_path)
    assert code == 0
    assert said.startswith(f"main is {head}; 25 documents differ from what it was, 0 runs are new\n  tenants/t00")
    assert said.endswith("  and 5 more\n")


@pytest.mark.parametrize("commit", ["beef", "0" * 40, "no commit"])
def test_an_unknown_commit_is_said(work: Work, tmp_path: Path, commit: str) -> None:
    assert say("adopt", commit, root=tmp_path) == (
        1,
        f"Error: there is no commit {commit} in the state repository\n",
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NothingToDo("main has no commit yet"), "main has no commit yet"),
        (Waiting("Postgres: gone"), "Postgres: gone; the platform must be up: `ordain up`"),
    ],
)
def test_why_not_is_one_line(work: Work, tmp_path: Path, error: Exception, said: str) -> None:
    work.error = error
    assert say("rebuild", root=tmp_path) == (1, f"Error: {said}\n")
