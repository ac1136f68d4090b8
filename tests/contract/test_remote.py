"""The Remote port: git's smart HTTP protocol, as servers with tokens speak it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from reconciler.planning.remote import Attempt
from reconciler.ports.errors import Waiting
from reconciler.ports.remote import RefUpdate
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.stores.git import remote as module
from reconciler.stores.git.remote import GitRemote
from reconciler.stores.git.repository import GitRepository
from tests.support.forge_double import ANA, BOT, Forge
from tests.support.forges import WORLDS, World
from tests.support.repositories import NOON, PLATFORM

CHANGE = "refs/heads/change/1"
FETCHED = "refs/ordain/fetched"


@pytest.fixture(params=[each for each in WORLDS if each != "github-double"])  # git is the same there
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with WORLDS[request.param](tmp_path / "forge") as made:
        yield made


@pytest.fixture
def double(tmp_path: Path) -> Iterator[World]:
    with WORLDS["gitea-double"](tmp_path / "forge") as made:
        yield made


@pytest.fixture
def ours(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "ours.git")


@pytest.fixture
def theirs(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "theirs.git")


def add(repository: GitRepository, base: str | None, text: str) -> str:
    """Put a commit on main here."""
    (made,) = repository.append("test", base, [NewCommit(PLATFORM, PLATFORM, NOON, f"{text}\n", {text: b"1"})])
    repository.move(MAIN, repository.head(), made)
    return made


def forge_of(world: World) -> Forge:
    assert world.double is not None
    return world.double


def test_what_is_pushed_is_there_and_comes_back(world: World, ours: GitRepository, theirs: GitRepository) -> None:
    remote, other = world.remote(ours.path), world.remote(theirs.path, ANA)
    assert remote.heads([MAIN]) == {}
    first = add(ours, None, "a")
    assert remote.push([RefUpdate(MAIN, None, first)]).attempt is Attempt.ACCEPTED
    assert other.heads([MAIN, CHANGE]) == {MAIN: first}
    other.fetch(MAIN, FETCHED)
    assert theirs.head(FETCHED) == first
    assert theirs.has(first)
    assert list((theirs.path / "objects" / "pack").glob("*.pack")), "fetched objects are in packs, which are synced"


def test_a_push_is_taken_only_where_the_branch_is_expected(
    world: World, ours: GitRepository, theirs: GitRepository
) -> None:
    remote, other = world.remote(ours.path), world.remote(theirs.path, ANA)
    first = add(ours, None, "a")
    remote.push([RefUpdate(MAIN, None, first)])
    other.fetch(MAIN, MAIN)
    foreign = add(theirs, first, "b")
    assert other.push([RefUpdate(MAIN, first, foreign)]).attempt is Attempt.ACCEPTED
    mine = add(ours, first, "c")
    lost = remote.push([RefUpdate(MAIN, first, mine)])
    assert (lost.attempt, remote.heads([MAIN])) == (Attempt.REJECTED, {MAIN: foreign})
    assert lost.said
    assert remote.push([RefUpdate(MAIN, None, mine)]).attempt is Attempt.REJECTED
    assert remote.heads([MAIN]) == {MAIN: foreign}


def test_a_branch_that_was_put_back_is_not_moved_forward_unseen(world: World, ours: GitRepository) -> None:
    remote = world.remote(ours.path)
    first = add(ours, None, "a")
    second = add(ours, first, "b")
    remote.push([RefUpdate(MAIN, None, second)])
    remote.push([RefUpdate(MAIN, second, first)])
    third = add(ours, second, "c")
    assert remote.push([RefUpdate(MAIN, second, third)]).attempt is Attempt.REJECTED
    assert remote.heads([MAIN]) == {MAIN: first}


def test_a_push_that_was_taken_may_be_repeated(world: World, ours: GitRepository) -> None:
    remote, first = world.remote(ours.path), add(ours, None, "a")
    for _ in range(2):
        assert remote.push([RefUpdate(MAIN, None, first)]).attempt is Attempt.ACCEPTED


def test_several_refs_move_together_or_not_at_all(world: World, ours: GitRepository) -> None:
    remote, first = world.remote(ours.path), add(ours, None, "a")
    remote.push([RefUpdate(MAIN, None, first)])
    second = add(ours, first, "b")
    both = [RefUpdate(MAIN, first, second), RefUpdate(CHANGE, first, second)]
    assert remote.push(both).attempt is Attempt.REJECTED
    assert remote.heads([MAIN, CHANGE]) == {MAIN: first}
    both[1] = RefUpdate(CHANGE, None, second)
    assert remote.push(both).attempt is Attempt.ACCEPTED
    assert remote.heads([MAIN, CHANGE]) == {MAIN: second, CHANGE: second}
    assert remote.push([RefUpdate(CHANGE, second, None)]).attempt is Attempt.ACCEPTED
    assert remote.heads([MAIN, CHANGE]) == {MAIN: second}


def test_who_has_no_token_is_refused_and_no_token_is_told(world: World, ours: GitRepository) -> None:
    secret = "a-token-that-nobody-has"
    remote, first = GitRemote(ours.path, world.url, lambda: secret), add(ours, None, "a")
    with pytest.raises(Waiting, match="does not tell its branches") as told:
        remote.heads([MAIN])
    assert secret not in str(told.value)
    pushed = remote.push([RefUpdate(MAIN, None, first)])
    assert pushed.attempt is Attempt.UNKNOWN
    assert secret not in pushed.said
    with pytest.raises(Waiting, match="cannot be fetched"):
        remote.fetch(MAIN, FETCHED)


def test_a_remote_that_cannot_be_reached_is_waited_for(ours: GitRepository) -> None:
    remote, first = GitRemote(ours.path, "http://127.0.0.1:9/acme/intents"), add(ours, None, "a")
    with pytest.raises(Waiting):
        remote.heads([MAIN])
    assert remote.push([RefUpdate(MAIN, None, first)]).attempt is Attempt.UNKNOWN


@pytest.mark.parametrize("address", ["ext::touch /tmp/x", "/tmp", "file:///tmp", "--upload-pack=touch"])
def test_only_transports_of_the_network_are_spoken(ours: GitRepository, address: str) -> None:
    with pytest.raises(Waiting):
        GitRemote(ours.path, address).heads([MAIN])


def test_a_redirect_is_not_followed(double: World, ours: GitRepository) -> None:
    forge_of(double).git_fault = lambda _method, _path: HTTPStatus.FOUND
    with pytest.raises(Waiting):
        double.remote(ours.path).heads([MAIN])


def test_a_push_that_takes_too_long_is_ended_with_all_its_processes(
    double: World, ours: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PUSH_SECONDS", 0.5)
    first, released, before = add(ours, None, "a"), threading.Event(), children()

    def late(path: str) -> None:
        if path.endswith("/git-receive-pack"):
            released.wait(20)

    forge_of(double).after_git = late
    pushed = double.remote(ours.path).push([RefUpdate(MAIN, None, first)])
    assert pushed.attempt is Attempt.UNKNOWN
    assert "no answer" in pushed.said
    assert children() == before
    assert double.remote(ours.path).heads([MAIN]) == {MAIN: first}, "it was taken all the same"
    released.set()


def test_the_token_is_in_no_argument(double: World, ours: GitRepository) -> None:
    first, seen = add(ours, None, "a"), list[str]()
    forge_of(double).after_git = lambda _: seen.extend(arguments(pid) for pid in children())
    assert double.remote(ours.path).push([RefUpdate(MAIN, None, first)]).attempt is Attempt.ACCEPTED
    assert any("push" in each for each in seen)
    assert not any(double.tokens[BOT] in each for each in seen)


def children() -> list[int]:
    """Return the processes below this one that are alive, after what ended has had a moment to go."""
    time.sleep(0.05)
    found = {os.getpid()}
    while grown := {pid for pid, parent in parents() if parent in found} - found:
        found |= grown
    return sorted(found - {os.getpid()})


def parents() -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                found.append((int(entry.name), int(parent)))
    return found


def arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
