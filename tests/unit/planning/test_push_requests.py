"""From what is pushed to requests: what they write, expect and stand on, and which would not be written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intents.checks import Facts
from intents.kinds import Kind
from intents.names import PLATFORM_TENANT
from intents.problems import Problem
from intents.writing import blob_id, dump
from reconciler.planning.changes import Deed, OfChange
from reconciler.planning.proposing import Known, decide
from reconciler.planning.push_requests import (
    Pusher,
    as_one,
    first_held,
    onto,
    place_of,
    request_id,
    requests_of,
    stands,
    told,
    update_of,
)
from reconciler.planning.pushes import PushedCommit, Unfit, summary
from reconciler.planning.writing import ABSENT, ANY, Proposed, Write, WriteAction
from tests.fixtures import approvals
from tests.fixtures.approvals import BLUE, DEPLOY_SPEC, DEVELOPER, SECOND_SPEC, approved_tree, known_of, opened
from tests.fixtures.pushed import NOTES, PUSHER, ZOE, commit, file
from tests.fixtures.trees import ACME, FRAUD, GLOBEX, RUN, SCHEDULE, TRAIN, small_specs, small_tree

TREE = small_tree()


def tenant(name: str, path: str = GLOBEX) -> bytes:
    return dump(Kind.TENANT, {**small_specs()[path], "displayName": name})


def blob(path: str) -> str:
    found = TREE.get(path)
    assert found is not None
    return found.blob


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
    found = first_held(TREE, Facts(), asked, beside or {})
    assert not isinstance(found, Proposed)
    return found


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


def test_commits_together_do_what_they_do_one_after_the_other() -> None:
    one = commit(file(GLOBEX, b"1", "b" * 40), file(RUN), file(ACME, b"1", "c" * 40), name="c1", message="One\n")
    two = commit(file(GLOBEX, b"2", blob_id(b"1")), file(RUN, None, blob_id(b"x")), name="c2", message="Two\n\nMore\n")
    back = commit(replace(file(ACME, b"0", blob_id(b"1")), after="c" * 40), name="c3", message="Three\n\nWhy.\n")
    whole = as_one([one, two, back])
    assert (whole.id, whole.parents, whole.author) == ("c3", ("p",), ZOE)
    assert whole.message == "Three\n\nWhy.\n\nWith:\n- One\n- Two"
    assert whole.files == (file(GLOBEX, b"2", "b" * 40),)
    assert as_one([one]).message == "One"


APPROVED = approved_tree()
PUSHING = Pusher(DEVELOPER, DEVELOPER.user)


def deployed(spec: dict[str, object], before: str | None = None, name: str = "c1") -> PushedCommit:
    return commit(file(BLUE, approvals.body(BLUE, spec), before), name=name)


def test_what_needs_approval_is_told_apart() -> None:
    run = commit(file(RUN, approvals.body(RUN, small_specs()[RUN]), None), name="c0")
    asked = [(each, request) for each in (deployed(DEPLOY_SPEC), run) for request in requests_of([each], {}, PUSHING)]
    found = first_held(APPROVED, Facts(), asked, {})
    assert isinstance(found, Proposed)
    assert (found.required, [*found.files]) == (1, [BLUE])


def test_an_update_stands_on_the_version_that_the_change_holds() -> None:
    known = opened(APPROVED, approvals.ask(approvals.put(BLUE, DEPLOY_SPEC, ABSENT)))
    more = onto(known, deployed(SECOND_SPEC, known.blobs[BLUE], "c2"))
    assert isinstance(more, PushedCommit)
    request = update_of(more, 0, PUSHING, known.change)
    assert request.of_change == OfChange(known.change.id, Deed.UPDATE, known.change.head)
    assert (request.tenant, request.project) == (known.change.tenant, known.change.project)
    _, decision = decide(APPROVED, request, known_of(known))
    assert isinstance(decision, Proposed)
    assert decision.files == {BLUE: approvals.body(BLUE, SECOND_SPEC)}


def test_what_builds_on_another_version_than_the_changes_is_a_conflict() -> None:
    known = opened(APPROVED, approvals.ask(approvals.put(BLUE, DEPLOY_SPEC, ABSENT)))
    found = onto(known, deployed(SECOND_SPEC))
    assert isinstance(found, Unfit)
    assert [(each.code, each.path) for each in found.problems] == [("conflict", BLUE)]
    assert found.problems[0].hint == f"git pull --rebase origin change/{known.change.id}"


def test_what_the_change_holds_already_is_left_out() -> None:
    known = opened(APPROVED, approvals.ask(approvals.put(BLUE, DEPLOY_SPEC, ABSENT)))
    found = onto(known, commit(*deployed(DEPLOY_SPEC).files, file(NOTES)))
    assert isinstance(found, PushedCommit)
    assert [each.path for each in found.files] == [NOTES]


def test_an_update_of_somebody_elses_change_is_refused() -> None:
    known = opened(APPROVED, approvals.ask(approvals.put(BLUE, DEPLOY_SPEC, ABSENT)))
    pushed = deployed(SECOND_SPEC, known.blobs[BLUE], "c2")
    request = update_of(pushed, 0, PUSHER, known.change)
    found = first_held(APPROVED, Facts(), [(pushed, request)], {}, Known({known.change.id: known}))
    assert isinstance(found, Unfit)
    assert [each.code for each in found.problems] == ["forbidden"]
