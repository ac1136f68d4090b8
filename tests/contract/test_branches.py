"""The port Branches: one suite on the platform's own repository and on a checkout of people's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.ports.branches import Branches
from reconciler.ports.errors import Stalled
from reconciler.ports.repository import MAIN, Change, NewCommit
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.git.snapshot import Commits
from tests.support.repositories import NOON, PLATFORM

Files = dict[str, bytes | None]
ACME, GLOBEX = "tenants/acme/tenant.yaml", "tenants/globex/tenant.yaml"


class Written:
    """A bare repository that a test writes to."""

    def __init__(self, path: Path) -> None:
        self.repository = GitRepository.create(path)

    def commit(self, ref: str, files: Files, onto: str | None = None) -> str:
        here = self.repository.head(ref)
        new = NewCommit(PLATFORM, PLATFORM, NOON, "Change\n", files)
        (made,) = self.repository.append("test", onto or here, [new])
        self.repository.move(ref, here, made)
        return made


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "state.git")


@pytest.fixture(params=[GitRepository, Commits], ids=["platform", "people"])
def branches(request: pytest.FixtureRequest, written: Written) -> Callable[[], Branches]:
    """Return the implementation, opened when it is called: as a process would find the repository."""
    opened: Callable[[Path], Branches] = request.param
    return lambda: opened(written.repository.path)


def test_a_branch_that_is_not_merged_is_open_from_where_it_left(
    written: Written, branches: Callable[[], Branches]
) -> None:
    root = written.commit(MAIN, {ACME: b"1"})
    tip = written.commit("refs/heads/change/7", {GLOBEX: b"2"}, onto=root)
    written.commit("refs/heads/feature", {GLOBEX: b"3"}, onto=root)
    head = written.commit(MAIN, {ACME: b"4"})
    (found,) = branches().open_branches(head)
    assert (found.name, found.fork, found.tip) == ("change/7", root, tip)
    (changed,) = branches().changes(found.fork, found.tip)
    assert changed.path == GLOBEX
    assert branches().blob(changed.blob or "") == b"2"


def test_a_branch_that_is_merged_is_not_open(written: Written, branches: Callable[[], Branches]) -> None:
    root = written.commit(MAIN, {ACME: b"1"})
    tip = written.commit("refs/heads/change/7", {GLOBEX: b"2"}, onto=root)
    written.repository.move(MAIN, root, tip)
    assert branches().open_branches(tip) == []


def test_a_branch_counts_once_as_it_is_here(written: Written, branches: Callable[[], Branches]) -> None:
    root = written.commit(MAIN, {ACME: b"1"})
    written.commit("refs/remotes/origin/change/7", {GLOBEX: b"2"}, onto=root)
    written.commit("refs/remotes/origin/change/a/b", {GLOBEX: b"2"}, onto=root)
    here = written.commit("refs/heads/change/7", {GLOBEX: b"3"}, onto=root)
    found = branches().open_branches(root)
    assert [each.name for each in found] == ["change/7", "change/a/b"]
    assert found[0].tip == here


def test_a_branch_that_never_met_does_not_count(written: Written, branches: Callable[[], Branches]) -> None:
    root = written.commit(MAIN, {ACME: b"1"})
    written.commit("refs/heads/change/7", {GLOBEX: b"2"})
    assert branches().open_branches(root) == []


def test_a_removed_file_is_a_change_without_a_blob(written: Written, branches: Callable[[], Branches]) -> None:
    root = written.commit(MAIN, {ACME: b"1", GLOBEX: b"1"})
    tip = written.commit("refs/heads/change/7", {GLOBEX: None}, onto=root)
    assert list(branches().changes(root, tip)) == [Change(GLOBEX, None)]


def test_a_fork_is_where_a_change_left(written: Written) -> None:
    root = written.commit(MAIN, {ACME: b"1"})
    tip = written.commit("refs/heads/change/7", {GLOBEX: b"2"}, onto=root)
    head = written.commit(MAIN, {ACME: b"4"})
    stranger = written.commit("refs/heads/stranger", {ACME: b"5"})
    commits = Commits(written.repository.path)
    assert commits.fork("main", "change/7") == root
    assert commits.fork("main", stranger) == head, "they never met"
    assert commits.commit("change/7") == tip
    assert commits.first_of("nowhere", "main", "change/7") == "main"
    assert commits.first_of("nowhere") is None
    with pytest.raises(Stalled, match="there is no commit nowhere"):
        commits.fork("nowhere", "main")
