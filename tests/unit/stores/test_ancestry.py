"""What clients are told that main has."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pygit2
import pytest

from reconciler.ports.repository import NewCommit
from reconciler.stores.git.ancestry import NEXT, Ancestry
from reconciler.stores.git.repository import GitRepository
from tests.support.repositories import NOON, PLATFORM


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "state.git")


def grown(repository: GitRepository, base: str | None, count: int) -> list[str]:
    new = [NewCommit(PLATFORM, PLATFORM, NOON, f"Change {number}\n", {"a": b"%d" % number}) for number in range(count)]
    return [*repository.append("test", base, new)]


@pytest.mark.parametrize("count", [1, 2, 3, 30, 400])
def test_every_commit_lies_little_behind_one_that_is_told(repository: GitRepository, count: int) -> None:
    chain = grown(repository, None, count)[::-1]
    told = [*Ancestry().sample(pygit2.Repository(str(repository.path)), chain[0])]
    places = [chain.index(each) for each in told]
    assert (places[0], places[-1], sorted(set(places))) == (0, count - 1, places)
    assert all(later <= max(earlier + 1, earlier * NEXT) for earlier, later in pairwise(places[:-1]))
    assert len(told) <= 60


def test_it_follows_main_also_where_history_was_rewritten(repository: GitRepository) -> None:
    ancestry = Ancestry()

    def sample(head: str) -> list[str]:
        return [*ancestry.sample(pygit2.Repository(str(repository.path)), head)]

    first = grown(repository, None, 3)
    assert sample(first[-1]) == first[::-1]
    second = grown(repository, first[-1], 2)
    assert sample(second[-1]) == [*second[::-1], *first[::-1]]
    other = grown(repository, first[0], 2)
    assert sample(other[-1]) == [*other[::-1], first[0]]
