from __future__ import annotations

from intents.problems import Problem
from intents.writing import blob_id
from reconciler.planning.states import State
from tests.fixtures.trees import CLUSTER, PLATFORM, RUN, TRAIN, small_specs
from tests.support.repositories import intent

PACKAGE = TRAIN.replace("template.yaml", "pipeline.yaml")
FILES = {path: intent(path, spec) for path, spec in small_specs().items()} | {PACKAGE: b"a package\n"}


class Files:
    """Files that note which of them were read."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.read: list[str] = []

    def blobs(self) -> dict[str, str]:
        return {path: blob_id(body) for path, body in self.files.items()}

    def body(self, path: str) -> bytes:
        self.read.append(path)
        return self.files[path]


def state(files: dict[str, bytes], near: State | None = None) -> State:
    given = Files(files)
    return (near or State()).advanced(given.blobs(), given.body)


def codes(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in problems]


def test_a_state_has_all_intents_and_packages_are_none() -> None:
    found = state(FILES)
    assert set(found.tree) == FILES.keys() - {PACKAGE}
    assert found.problems == ()
    assert all(document.blob == found.blobs[path] for path in found.tree if (document := found.tree.get(path)))


def test_what_is_the_same_is_not_read_again() -> None:
    before = state(FILES)
    files = Files({**FILES, RUN: FILES[RUN] + b"# more\n"})
    after = before.advanced(files.blobs(), files.body)
    assert files.read == [RUN]
    assert after.differing(before) == {RUN}
    assert after.tree.get(CLUSTER) is before.tree.get(CLUSTER)
    assert after.tree.get(RUN) is not before.tree.get(RUN)


def test_what_is_gone_is_gone() -> None:
    before = state(FILES)
    after = state({path: body for path, body in FILES.items() if path not in {RUN, PACKAGE}}, before)
    assert before.differing(after) == {RUN, PACKAGE}
    assert set(before.tree) - set(after.tree) == {RUN}


def test_problems_of_single_files_are_kept_until_the_file_changes() -> None:
    wrong = {**FILES, RUN: b"kind: [", "tenants/notes.txt": b"", "tenants/ACME/tenant.yaml": b""}
    before = state(wrong)
    assert codes(before.problems) == [
        ("invalid-name", "tenants/ACME/tenant.yaml"),
        ("yaml-syntax", RUN),
        ("misplaced-file", "tenants/notes.txt"),
    ]
    assert RUN not in before.tree
    again = state({**wrong, PLATFORM: FILES[PLATFORM] + b"\n"}, before)
    assert set(again.problems) == set(before.problems)
    right = state({**FILES, PLATFORM: FILES[PLATFORM] + b"\n"}, again)
    assert right.problems == ()
    assert RUN in right.tree
    assert codes(state({**FILES, RUN: b"kind: ]"}, right).problems) == [("yaml-syntax", RUN)]


def test_an_intent_that_becomes_wrong_leaves_the_tree() -> None:
    assert RUN not in state({**FILES, RUN: b"no: ["}, state(FILES)).tree


def test_a_state_is_the_same_however_it_was_reached() -> None:
    walked = state(FILES, state({**FILES, RUN: b"kind: ["}, state({PLATFORM: FILES[PLATFORM]})))
    at_once = state(FILES)
    assert walked.blobs == at_once.blobs
    assert walked.problems == at_once.problems
    assert {path: walked.tree.get(path) for path in walked.tree} == {
        path: at_once.tree.get(path) for path in at_once.tree
    }
