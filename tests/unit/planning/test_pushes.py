"""What a push asks for: its commits as requests, or why they cannot be any."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from intents.authority import Principal
from intents.checks import Facts
from intents.kinds import Kind
from intents.names import PLATFORM_TENANT
from intents.problems import Problem
from intents.writing import blob_id, dump
from reconciler.planning.pushes import (
    MOST_FILE_BYTES,
    MOST_MESSAGE_BYTES,
    PLAIN,
    PushedCommit,
    PushedFile,
    Pusher,
    RefUpdate,
    Unfit,
    first_refused,
    place_of,
    request_id,
    requests_of,
    stands,
    summary,
    target_of,
    told,
    unfit,
)
from reconciler.planning.writing import ABSENT, ANY, Author, Write, WriteAction
from tests.fixtures.trees import ACME, FRAUD, GLOBEX, RUN, SCHEDULE, TRAIN, small_specs, small_tree

TREE = small_tree()
NOTES = "templates/train/1.0.0/notes.txt"
ZOE = Author("Zoë", "zoe@acme.example", datetime(2026, 11, 20, 9, tzinfo=UTC))
PUSHER = Pusher(Principal("root@localhost"), "root@example")


def file(path: str, body: bytes | None = b"x", before: str | None = None, mode: int = PLAIN) -> PushedFile:
    if body is None:
        return PushedFile(path, before, None)
    return PushedFile(path, before, blob_id(body), mode, len(body), body)


def commit(*files: PushedFile, name: str = "c1", message: str = "Change\n", **more: object) -> PushedCommit:
    made = PushedCommit(name, ("p",), ZOE, message, files)
    return replace(made, **more)  # type: ignore[arg-type]


def tenant(name: str, path: str = GLOBEX) -> bytes:
    return dump(Kind.TENANT, {**small_specs()[path], "displayName": name})


def blob(path: str) -> str:
    found = TREE.get(path)
    assert found is not None
    return found.blob


@pytest.mark.parametrize(
    ("ref", "new", "refused"),
    [
        ("refs/heads/main", "a" * 40, ""),
        ("refs/heads/main", None, "nothing is removed"),
        ("refs/heads/topic", None, "nothing is removed"),
        ("refs/heads/topic", "a" * 40, "only main"),
        ("refs/heads/main2", "a" * 40, "only main"),
        ("refs/heads/Main", "a" * 40, "only main"),
        ("refs/tags/main", "a" * 40, "only main"),
        ("main", "a" * 40, "only main"),
    ],
)
def test_only_main_is_pushed_to(ref: str, new: str | None, refused: str) -> None:
    found = target_of(RefUpdate(ref, new))
    assert found == new if not refused else isinstance(found, Unfit) and refused in found.reason


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


def test_a_request_keeps_author_and_message_and_names_who_pushes() -> None:
    pushed = commit(file(RUN), message="  Train anew\n\nBecause.\n")
    (made,) = requests_of([pushed], {}, PUSHER)
    assert (made.id, made.author, made.principal, made.email) == (
        request_id("c1", 0),
        ZOE,
        PUSHER.principal,
        "root@example",
    )
    assert (made.subject, made.body.strip(), made.cause) == ("Train anew", "Because.", "pushed as c1")
    assert (made.tenant, made.project) == ("acme", "fraud")


def test_a_commit_without_a_message_has_a_subject() -> None:
    (made,) = requests_of([commit(file(RUN), message="\n")], {}, PUSHER)
    assert made.subject == "(no subject)"


def test_files_are_expected_to_be_what_they_were_at_the_parent() -> None:
    pushed = commit(
        file(GLOBEX, b"a", "b" * 40), file(RUN), file(SCHEDULE, None, "c" * 40), file(NOTES, b"d", "e" * 40)
    )
    (made,) = requests_of([pushed], {}, PUSHER)
    assert made.writes == (
        Write(GLOBEX, WriteAction.PUT, b"a", "b" * 40),
        Write(RUN, WriteAction.PUT, b"x", ABSENT),
        Write(SCHEDULE, WriteAction.REMOVE, b"", "c" * 40),
        Write(NOTES, WriteAction.PUT, b"d", ANY),
    )


def test_each_request_stands_on_what_the_one_before_it_wrote() -> None:
    first = commit(file(GLOBEX, b"a", "b" * 40), file(RUN), file(NOTES), name="c1")
    second = commit(file(RUN, b"y", blob_id(b"x")), file(SCHEDULE, None, "c" * 40), name="c2")
    third = commit(file(ACME, b"z"), name="c3")
    _, two, three = requests_of([first, second, third], {}, PUSHER)
    assert two.writes[2:] == (Write(GLOBEX, WriteAction.GUARD, expects=blob_id(b"a")),)
    assert three.writes[1:] == (
        Write(RUN, WriteAction.GUARD, expects=blob_id(b"y")),
        Write(SCHEDULE, WriteAction.GUARD, expects=ABSENT),
    )


def test_the_same_commit_is_the_same_request_until_it_is_refused() -> None:
    pushed = [commit(file(RUN), name="c1"), commit(file(GLOBEX), name="c2")]
    first, again = ([each.id for each in requests_of(pushed, tries, PUSHER)] for tries in ({}, {"c2": 1}))
    assert first[0] == again[0] == request_id("c1", 0)
    assert first[1] != again[1] == request_id("c2", 1)


@pytest.mark.parametrize(
    ("paths", "place"),
    [
        ([RUN, SCHEDULE], ("acme", "fraud")),
        ([RUN, "tenants/acme/projects/other/project.yaml"], ("acme", "")),
        ([RUN, ACME], ("acme", "")),
        ([RUN, GLOBEX], (PLATFORM_TENANT, "")),
        ([TRAIN], (PLATFORM_TENANT, "")),
        ([RUN, NOTES], (PLATFORM_TENANT, "")),
        (["README.md"], (PLATFORM_TENANT, "")),
    ],
)
def test_a_request_is_of_the_one_tenant_and_project_it_is_about(paths: list[str], place: tuple[str, str]) -> None:
    assert place_of(commit(*map(file, paths))) == place


def test_what_is_there_already_needs_no_request() -> None:
    known = TREE.get(GLOBEX)
    assert known is not None
    pushed = commit(
        file(GLOBEX, known.body, "b" * 40), file(SCHEDULE.replace("nightly", "none"), None, "c" * 40), file(NOTES)
    )
    assert stands(pushed, TREE, {NOTES: blob_id(b"x")})
    assert not stands(pushed, TREE, {NOTES: blob_id(b"y")})
    assert not stands(commit(file(GLOBEX, None, blob(GLOBEX))), TREE, {})


def refused(*commits: PushedCommit, beside: dict[str, str | None] | None = None) -> Unfit | None:
    asked = list(zip(commits, requests_of(commits, {}, PUSHER), strict=True))
    return first_refused(TREE, Facts(), asked, beside or {})


def test_a_chain_is_decided_as_the_writer_will() -> None:
    one = commit(file(GLOBEX, tenant("One"), blob(GLOBEX)), name="c1")
    two = commit(file(GLOBEX, tenant("Two"), blob_id(tenant("One"))), name="c2")
    assert refused(one, two) is None


def test_the_first_that_is_refused_is_told_and_no_more() -> None:
    good = commit(file(GLOBEX, tenant("One"), blob(GLOBEX)), name="c1")
    bad = commit(file(ACME, b"kind: Tenant\n", blob(ACME)), name="c2")
    worse = commit(file(FRAUD, b"", blob(FRAUD)), name="c3")
    found = refused(good, bad, worse)
    assert found is not None
    assert found.commit == bad
    assert {problem.path for problem in found.problems} == {ACME}


def test_what_others_changed_is_a_conflict_in_words_of_git() -> None:
    found = refused(commit(file(GLOBEX, tenant("Mine"), "b" * 40)))
    assert found is not None
    (problem,) = found.problems
    assert (problem.code, problem.path) == ("conflict", GLOBEX)
    assert problem.message == "somebody else changed it since the commit's parent"
    assert problem.hint.startswith("git pull --rebase")


def test_files_beside_templates_are_compared_along_the_chain() -> None:
    one, two = commit(file(NOTES, b"1"), name="c1"), commit(file(NOTES, b"2", blob_id(b"1")), name="c2")
    assert refused(one, two, beside={NOTES: None}) is None
    found = refused(one, two, beside={NOTES: "b" * 40})
    assert found is not None
    assert [(problem.code, problem.path) for problem in found.problems] == [("conflict", NOTES)]


def test_only_conflicts_are_told_in_other_words() -> None:
    other = Problem("unknown-template", RUN, 3, 5, "no", "choose another")
    assert told([other]) == (other,)
    assert summary([other, other]) == "2 problems: unknown-template"
