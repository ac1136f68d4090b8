"""What is pushed and where to: what may not be, by its form alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.planning.changes import ChangeId
from reconciler.planning.pushes import (
    MOST_FILE_BYTES,
    MOST_MESSAGE_BYTES,
    PushedCommit,
    RefUpdate,
    Target,
    Unfit,
    target_of,
    unfit,
)
from tests.fixtures.pushed import NOTES, ZOE, commit, file
from tests.fixtures.trees import GLOBEX


@pytest.mark.parametrize(
    ("ref", "new", "refused"),
    [
        ("refs/heads/main", "a" * 40, ""),
        ("refs/heads/main", None, "nothing is removed"),
        ("refs/heads/topic", None, "nothing is removed"),
        ("refs/heads/topic", "a" * 40, "only main"),
        ("refs/heads/main2", "a" * 40, "only main"),
        ("refs/heads/Main", "a" * 40, "only main"),
        ("refs/heads/change/0123456789", "a" * 40, ""),
        ("refs/heads/change/mine", "a" * 40, "no change is named so"),
        ("refs/heads/change/", "a" * 40, "no change is named so"),
        ("refs/heads/change/0123456789/x", "a" * 40, "only main"),
        ("refs/heads/changes/0123456789", "a" * 40, "only main"),
        ("refs/tags/main", "a" * 40, "only main"),
        ("main", "a" * 40, "only main"),
    ],
)
def test_only_main_and_changes_are_pushed_to(ref: str, new: str | None, refused: str) -> None:
    found = target_of(RefUpdate(ref, new))
    if refused:
        assert isinstance(found, Unfit)
        assert refused in found.reason
    else:
        assert found == Target("a" * 40, ChangeId("0123456789") if "change" in ref else None)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (commit(parents=()), "unrelated history: begin from a clone of main"),
        (commit(author=replace(ZOE, name="ordain-x")), "its author ordain-x is one of the platform's own principals"),
        (commit(message="ü" * MOST_MESSAGE_BYTES), f"its message has more than {MOST_MESSAGE_BYTES} bytes"),
        (commit(file(NOTES), parents=("p", "q")), "1 problem: unfit-merge"),
        (commit(file(NOTES, None), parents=("p", "q")), "1 problem: unfit-merge"),
        (commit(file(NOTES, mode=0o100755), file(GLOBEX, mode=0o120000)), "2 problems: not-a-plain-file"),
        (commit(file(NOTES, mode=0o160000)), "1 problem: not-a-plain-file"),
        (commit(replace(file(NOTES), size=MOST_FILE_BYTES + 1)), "1 problem: too-large"),
    ],
)  # fmt: skip
def test_some_commits_cannot_be_requests(wrong: PushedCommit, reason: str) -> None:
    found = unfit([commit(file(GLOBEX)), commit(parents=("p", "q")), wrong])
    assert found is not None
    assert found.reason.startswith(reason)
    assert found.commit == wrong


def test_what_is_removed_has_no_form_to_be_wrong() -> None:
    assert unfit([commit(file(NOTES, None, "b" * 40))]) is None
