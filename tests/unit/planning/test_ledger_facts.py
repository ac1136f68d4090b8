"""What the ledger decides of a change, and what it is asked."""

from __future__ import annotations

import pytest

from intents.authority import Principal
from intents.checks import Facts
from intents.kinds import Kind
from intents.writing import dump
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.writing import Accepted, Refused, Write, WriteAction, decide_request, questions_of
from tests.fixtures.trees import DEPLOYMENT, RUN, small_specs, small_tree
from tests.fixtures.write_requests import request

NEW_RUN = "tenants/acme/projects/fraud/runs/2026-11-23/second.yaml"
OLD_RUN = NEW_RUN.replace("11-23", "10-01")
PERSON = Principal("dev@acme.example")


def put(path: str) -> Write:
    return Write(path, WriteAction.PUT, dump(Kind.RUN, small_specs()[RUN]))


def remove(path: str) -> Write:
    return Write(path, WriteAction.REMOVE)


def asked(*writes: Write) -> LedgerQuestions:
    return questions_of(small_tree(), [request(writes=writes, principal=PERSON)])


def codes(facts: Facts, *writes: Write) -> list[str]:
    _, decision = decide_request(small_tree(), request(writes=writes, principal=PERSON), facts)
    return [each.code for each in decision.problems] if isinstance(decision, Refused) else []


def test_only_what_the_ledger_decides_is_asked() -> None:
    assert not asked(Write(DEPLOYMENT, WriteAction.PUT), Write(RUN, WriteAction.GUARD), put(RUN), remove(DEPLOYMENT))
    assert asked(remove(RUN), put(NEW_RUN)) == LedgerQuestions({RUN: 1}, frozenset({("acme", "fraud", "second")}))


def test_a_run_that_the_tree_does_not_hold_yet_is_asked_for_too() -> None:
    assert asked(remove(NEW_RUN)).removed == {NEW_RUN: 1}


def test_an_active_run_is_not_removed() -> None:
    assert codes(Facts(active=frozenset({RUN})), remove(RUN)) == ["active-run"]
    assert codes(Facts(), remove(RUN)) == []


@pytest.mark.parametrize("gone", [OLD_RUN, NEW_RUN])
def test_a_name_is_used_once_for_ever(gone: str) -> None:
    assert codes(Facts(retired=frozenset({gone})), put(NEW_RUN)) == ["run-name-used"]
    assert codes(Facts(retired=frozenset({OLD_RUN.replace("second", "other")})), put(NEW_RUN)) == []


def test_without_facts_it_is_left_open() -> None:
    _, decision = decide_request(small_tree(), request(writes=(remove(RUN),), principal=PERSON))
    assert isinstance(decision, Accepted)
