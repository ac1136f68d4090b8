"""The Repository port on a real bare repository."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intents.writing import blob_id
from reconciler.ports.errors import Conflict, Stalled, Waiting
from reconciler.ports.repository import MAIN, NewCommit, RefMove, Signature
from reconciler.stores.git.leftovers import LOCK_SECONDS
from reconciler.stores.git.repository import GitRepository
from tests.support.repositories import NOON, PLATFORM, merge

Files = Mapping[str, bytes | None]


@pytest.fixture
def empty(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "state.git")


def new(files: Files, message: str = "Change\n", author: Signature = PLATFORM) -> NewCommit:
    return NewCommit(author, PLATFORM, NOON, message, files)


def add(repository: GitRepository, files: Files, message: str = "Change\n", ref: str = MAIN) -> str:
    head = repository.head(ref)
    (made,) = repository.append("test", head, [new(files, message)])
    repository.move(ref, head, made)
    return made


def is_sound(repository: GitRepository) -> None:
    done = subprocess.run(["git", "fsck", "--full", "--strict"], cwd=repository.path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_new_repository_is_empty_and_its_owners_alone(empty: GitRepository) -> None:
    assert empty.head() is None
    assert empty.path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(OSError, match="not empty"):
        GitRepository.create(empty.path)


def test_a_half_made_repository_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "state.git.unfinished" / "objects").mkdir(parents=True)
    assert GitRepository.create(tmp_path / "state.git").head() is None
    assert [each.name for each in tmp_path.iterdir()] == ["state.git"]


def test_an_append_that_fails_leaves_nothing_behind(empty: GitRepository) -> None:
    first = add(empty, {"a": b"1"})
    old = empty.path / "objects" / "pack" / "tmp_pack_old"
    old.touch()
    os.utime(old, (0, 0))
    before = {path for path in empty.path.rglob("*") if path != old}
    with pytest.raises(Waiting, match="git could not write"):
        empty.append("test", "1" * 40, [new({"b": b"2"})])
    assert set(empty.path.rglob("*")) == before
    assert empty.head() == first


def test_what_is_appended_is_invisible_until_the_ref_moves(empty: GitRepository) -> None:
    first, second = empty.append("test", None, [new({"a": b"1"}), new({"b": b"2"})])
    assert empty.head() is None
    empty.move(MAIN, None, second)
    assert empty.head() == second
    assert [each.id for each in empty.between(None, second)] == [first, second]
    assert empty.read(second, "a") == b"1"
    assert empty.read(second, "c") is None
    is_sound(empty)


def test_a_ref_moves_only_from_where_it_is_expected(empty: GitRepository) -> None:
    (mine,) = empty.append("mine", None, [new({"a": b"mine"})])
    (theirs,) = empty.append("theirs", None, [new({"a": b"theirs"})])
    empty.move(MAIN, None, mine)
    with pytest.raises(Conflict):
        empty.move(MAIN, None, theirs)
    with pytest.raises(Conflict):
        empty.move(MAIN, theirs, theirs)
    assert empty.head() == mine


def test_a_chain_reads_the_files_of_the_commits_before(empty: GitRepository) -> None:
    ids = empty.append("test", None, [new({f"f{n}": b"x"}) for n in range(20)] + [new({"f3": None})])
    assert {each.path for each in empty.files(ids[-1])} == {f"f{n}" for n in range(20)} - {"f3"}


def test_paths_and_bytes_come_back_as_they_were(empty: GitRepository) -> None:
    files: Files = {
        'quo"te': b"1",
        "back\\slash": b"2",
        "new\nline": b"3",
        "späce and ünicode": b"4",
        "tab\there": b"\x00\xff",
        "deep/er/est": b"",
    }
    head = add(empty, files)
    assert {each.path: empty.blob(each.blob or "") for each in empty.files(head)} == files
    gone = add(empty, dict.fromkeys(files))
    assert list(empty.files(gone)) == []
    assert {each.path: each.blob for each in empty.changes(head, gone)} == dict.fromkeys(files)
    is_sound(empty)


@pytest.mark.parametrize(
    "author",
    [
        Signature("Ana <evil@example>", "ana@acme.example"),
        Signature("a\nOrdain-Request: 1", "x\n> 0 +0000\ncommitter root <root>"),
        Signature("", ""),
        Signature("\ud800\x00", "\x1b"),
        Signature("Zoë, 名前; .", "zoë@例え.jp"),
    ],
)
def test_a_persons_name_cannot_be_more_than_a_name(empty: GitRepository, author: Signature) -> None:
    (made,) = empty.append("test", None, [new({"a": b"1"}, "Subject\n\nOrdain-Request: mine\n", author)])
    empty.move(MAIN, None, made)
    found = empty.info(made)
    assert found.trailers == {"Ordain-Request": ("mine",)}
    assert found.subject == "Subject"
    assert (found.at, found.parent) == (NOON, None)
    is_sound(empty)


def test_trailers_are_those_of_the_last_paragraph_with_all_their_values(empty: GitRepository) -> None:
    message = "Subject\n\nOrdain-Request: forged\n\nOrdain-Intent: a\nSigned-off-by: x\nOrdain-Intent: b\n"
    head = add(empty, {"a": b"1"}, message)
    assert empty.info(head).trailers == {"Ordain-Intent": ("a", "b")}


def test_between_is_first_parent_and_refuses_a_rewritten_history(empty: GitRepository) -> None:
    ids = [add(empty, {"a": bytes([n])}) for n in range(4)]
    assert [each.id for each in empty.between(ids[0], ids[3])] == ids[1:]
    assert empty.between(ids[3], ids[3]) == []
    (other,) = empty.append("test", ids[0], [new({"b": b"1"})])
    with pytest.raises(Stalled, match="history-rewritten"):
        empty.between(ids[3], other)
    with pytest.raises(Stalled, match="history-rewritten"):
        empty.between("0" * 40, ids[3])


def test_between_keeps_to_the_line_that_leads_to_old(empty: GitRepository) -> None:
    root = add(empty, {"a": b"1"})
    ours = add(empty, {"a": b"2"})
    (theirs,) = empty.append("test", root, [new({"b": b"1"})])
    forward, backward = merge(empty, ours, theirs), merge(empty, theirs, ours)
    assert [each.id for each in empty.between(root, forward)] == [ours, forward]
    found = empty.between(root, backward)
    assert [(each.id, each.parent) for each in found] == [(theirs, root), (backward, theirs)]
    assert [[each.id for each in empty.merged(commit)] for commit in found] == [[], [ours]]
    found = empty.between(ours, backward)
    assert [(each.id, each.parent) for each in found] == [(backward, ours)], "main became a second parent"
    with pytest.raises(Stalled, match="history-rewritten"):
        empty.between(merge(empty, root, root), backward)


def test_descent_is_told_of_what_is_here(empty: GitRepository) -> None:
    first, second = add(empty, {"a": b"1"}), add(empty, {"a": b"2"})
    assert empty.descends(second, first)
    assert empty.descends(first, first)
    assert not empty.descends(first, second)
    assert not empty.descends("1" * 40, first)
    assert not empty.descends(first, "1" * 40)
    assert not empty.descends("1" * 40, "1" * 40)


def test_blobs_are_known_by_the_id_of_their_bytes(empty: GitRepository) -> None:
    head = add(empty, {"a/b": b"body"})
    (change,) = empty.files(head)
    assert change.blob == blob_id(b"body")
    with pytest.raises(KeyError):
        empty.blob("0" * 40)
    with pytest.raises(KeyError):
        empty.blob(head)


def test_branches_in_folders_move_too(empty: GitRepository) -> None:
    head = add(empty, {"a": b"1"}, ref="refs/heads/rendered/local")
    assert empty.head("refs/heads/rendered/local") == head
    assert empty.head() is None


def test_commits_of_one_pack_may_stand_on_others(empty: GitRepository) -> None:
    first = add(empty, {"a": b"1"})
    second = add(empty, {"a": b"2", "b": b"2"})
    onto = [NewCommit(PLATFORM, PLATFORM, NOON, f"{base}\n", {"c": b"3", "x": None}, base) for base in (first, second)]
    on_first, on_second = empty.append("beside", None, onto)
    assert [empty.info(each).parent for each in (on_first, on_second)] == [first, second]
    assert (empty.read(on_first, "a"), empty.read(on_first, "b")) == (b"1", None)
    assert (empty.read(on_second, "a"), empty.read(on_second, "b")) == (b"2", b"2")
    chained = empty.append("beside", second, [onto[0], new({"d": b"4"})])
    assert empty.info(chained[1]).parent == chained[0]
    is_sound(empty)


def test_refs_are_listed_by_folder(empty: GitRepository) -> None:
    first = add(empty, {"a": b"1"})
    for ref in ("refs/heads/change/one", "refs/heads/change/two/three", "refs/heads/changed"):
        empty.move(ref, None, first)
    assert empty.refs("refs/heads/change") == {"one": first, "two/three": first}
    assert empty.refs("refs/ordain/none") == {}


@pytest.mark.parametrize("packed", [False, True])
def test_refs_move_together_or_not_at_all(empty: GitRepository, packed: bool) -> None:
    first, second = add(empty, {"a": b"1"}), add(empty, {"a": b"2"})
    here, there, other = "refs/heads/change/one", "refs/ordain/changes/one", "refs/heads/other"
    empty.move_all([RefMove(here, None, first), RefMove(other, None, second)])
    if packed:
        subprocess.run(["git", "pack-refs", "--all"], cwd=empty.path, check=True)
    empty.move_all([])
    for wrong in (RefMove(other, first, second), RefMove(other, None, second), RefMove(other, first, None)):
        with pytest.raises(Conflict):
            empty.move_all([RefMove(here, first, None), RefMove(there, None, first), wrong])
        assert (empty.head(here), empty.head(there), empty.head(other)) == (first, None, second)
    empty.move_all([RefMove(here, first, None), RefMove(there, None, first), RefMove(other, second, first)])
    assert (empty.head(here), empty.head(there), empty.head(other)) == (None, first, first)
    empty.move(here, None, first)
    assert empty.head(here) == first, "the folder that was left empty is made again"


def test_lock_files_of_killed_gits_are_got_over_when_refs_are_removed(empty: GitRepository) -> None:
    first = add(empty, {"a": b"1"})
    empty.move("refs/heads/change/one", None, first)
    subprocess.run(["git", "pack-refs", "--all"], cwd=empty.path, check=True)
    lock = empty.path / "packed-refs.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    with pytest.raises(Waiting, match="packed-refs"):
        empty.move_all([RefMove("refs/heads/change/one", first, None)])
    empty.move_all([RefMove("refs/heads/change/one", first, None)])
    assert empty.refs("refs/heads/change") == {}


def test_a_second_opener_sees_what_the_first_wrote_later(empty: GitRepository) -> None:
    other = GitRepository(empty.path)
    assert other.head() is None
    for n in range(3):
        head = add(empty, {"a": bytes([n])})
        assert other.head() == head
        assert other.read(head, "a") == bytes([n])


def test_the_lock_is_one_process_s(empty: GitRepository) -> None:
    script = f"""
from pathlib import Path
from reconciler.ports.errors import Conflict
from reconciler.stores.git.leftovers import LOCK_SECONDS
from reconciler.stores.git.repository import GitRepository
try:
    with GitRepository(Path({str(empty.path)!r})).lock("writer"):
        print("held")
except Conflict:
    print("refused")
"""

    def another() -> str:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
        return done.stdout.decode().strip()

    with empty.lock("writer"):
        with pytest.raises(Conflict), GitRepository(empty.path).lock("writer"):
            pass
        assert another() == "refused"
    assert another() == "held"


def test_a_lock_file_that_a_killed_git_left_is_got_over(empty: GitRepository) -> None:
    head = add(empty, {"a": b"1"})
    (made,) = empty.append("test", head, [new({"a": b"2"})])
    stale = empty.path / f"{MAIN}.lock"
    stale.touch()
    with pytest.raises(Exception, match="lock"):
        empty.move(MAIN, head, made)
    assert stale.exists(), "it may be another git's that is at work"
    old = time.time() - LOCK_SECONDS - 1
    os.utime(stale, (old, old))
    with pytest.raises(Exception, match="lock"):
        empty.move(MAIN, head, made)
    empty.move(MAIN, head, made)
    assert empty.head() == made


NAMES = st.sampled_from(["a", "b", "a.yaml", "c-d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.binary(max_size=2), max_size=8)


def without_clashes(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Leave out what lies below a file: no tree can hold both."""
    return {path: body for path, body in files.items() if not any(path.startswith(f"{other}/") for other in files)}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    return GitRepository.create(tmp_path_factory.mktemp("walk") / "state.git")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TREES.map(without_clashes), after=TREES.map(without_clashes))
def test_changes_are_those_of_a_naive_comparison(
    shared: GitRepository, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    removed: Files = {path: None for path in before if path not in after}
    old, new_one = shared.append("test", None, [new(before), new({**removed, **after})])
    expected = {path: blob_id(body) for path, body in after.items() if before.get(path) != body}
    expected_gone = dict.fromkeys(before.keys() - after.keys())
    found = shared.changes(old, new_one)
    assert {each.path: each.blob for each in found} == {**expected, **expected_gone}
    assert len(found) == len({each.path for each in found})
    assert {each.path: each.blob for each in shared.changes(None, old)} == {
        path: blob_id(body) for path, body in before.items()
    }
