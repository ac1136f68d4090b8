"""What the writer decides on a small tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from intents.authority import Principal
from intents.identity import identify
from intents.tree import Tree
from intents.writing import dump
from reconciler.planning.writing import (
    ABSENT,
    ANY,
    Accepted,
    Decision,
    Refused,
    RequestId,
    Write,
    WriteAction,
    WriteRequest,
    decide_batch,
    decide_request,
)
from tests.fixtures.trees import ACME, DEPLOYMENT, MODEL_1, ROLLOUT, RUN, TRAIN, model_spec, small_specs, small_tree

DEVELOPER = Principal("dev@acme.example")
VIEWER = Principal("ana@acme.example")
REGISTRY = Principal("ordain-registry")
CONTROLLER = Principal("ordain-rollout-controller")
MODELS = MODEL_1.rpartition("/")[0]
NEW_RUN = "tenants/acme/projects/fraud/runs/2026-11-23/second.yaml"


def body(path: str, spec: Mapping[str, Any]) -> bytes:
    identity = identify(path)
    assert identity is not None
    return dump(identity.kind, spec)


def put(path: str, spec: Mapping[str, Any], expects: str = ANY) -> Write:
    return Write(path, WriteAction.PUT, body(path, spec), expects)


def request(*writes: Write, principal: Principal = DEVELOPER) -> WriteRequest:
    return WriteRequest(RequestId(uuid4()), "acme", "fraud", "Ask", principal, writes)


def run_spec(**more: Any) -> dict[str, Any]:
    return {"template": "train@1.0.0", "parameters": {"rounds": 1}, **more}


def codes(decision: Decision) -> list[str]:
    assert isinstance(decision, Refused)
    return [problem.code for problem in decision.problems]


def blob(tree: Tree, path: str) -> str:
    document = tree.get(path)
    assert document is not None
    return document.blob


def test_an_accepted_request_is_in_the_tree() -> None:
    tree = small_tree()
    after, decision = decide_request(tree, request(put(NEW_RUN, run_spec(), ABSENT)))
    assert isinstance(decision, Accepted)
    assert decision.files == {NEW_RUN: body(NEW_RUN, run_spec())}
    assert NEW_RUN in after
    assert NEW_RUN not in tree


@pytest.mark.parametrize(("path", "expects"), [(RUN, ABSENT), (RUN, "0" * 40), (NEW_RUN, "0" * 40)])
def test_what_is_expected_must_stand_there(path: str, expects: str) -> None:
    tree = small_tree()
    after, decision = decide_request(tree, request(put(path, run_spec(), expects)))
    assert codes(decision) == ["conflict"]
    assert isinstance(decision, Refused)
    assert decision.conflict
    assert after is tree


def test_the_blob_that_stands_there_is_expected_rightly() -> None:
    tree = small_tree()
    cancelled = small_specs()[RUN] | {"desired": "Cancelled"}
    _, decision = decide_request(tree, request(put(RUN, cancelled, blob(tree, RUN))))
    assert isinstance(decision, Accepted)


def test_a_guard_writes_nothing_and_refuses_alone() -> None:
    tree = small_tree()
    guard = Write(DEPLOYMENT, WriteAction.GUARD, expects=blob(tree, DEPLOYMENT))
    _, decision = decide_request(tree, request(put(NEW_RUN, run_spec()), guard))
    assert isinstance(decision, Accepted)
    assert decision.files.keys() == {NEW_RUN}
    stale = Write(DEPLOYMENT, WriteAction.GUARD, expects="0" * 40)
    after, refused = decide_request(tree, request(put(NEW_RUN, run_spec()), stale))
    assert codes(refused) == ["conflict"]
    assert after is tree


def test_several_writes_stand_or_fall_together_with_every_problem() -> None:
    tree = small_tree()
    other = NEW_RUN.replace("second", "third")
    writes = [
        put(NEW_RUN, run_spec()),
        put(other, {"template": "train@1.0.0", "parametres": {}}),
        Write("tenants/acme/nowhere.yaml", WriteAction.PUT, b"{}"),
    ]
    after, decision = decide_request(tree, request(*writes))
    assert codes(decision) == ["unknown-field", "misplaced-file"]
    assert after is tree


def test_every_problem_of_a_document_is_told_with_place_and_hint() -> None:
    spec = {"template": "trian@1.0.0", "desired": "Runing", "atempt": 2}
    _, decision = decide_request(small_tree(), request(put(NEW_RUN, spec)))
    assert isinstance(decision, Refused)
    assert sorted(codes(decision)) == ["invalid-value", "unknown-field"]
    assert all(problem.path == NEW_RUN and problem.line for problem in decision.problems)
    _, decision = decide_request(small_tree(), request(put(NEW_RUN, {"template": "trian@1.0.0"})))
    assert isinstance(decision, Refused)
    assert [(problem.code, problem.line > 0, "train" in problem.hint) for problem in decision.problems] == [
        ("unknown-template", True, True)
    ]


@pytest.mark.parametrize(
    ("path", "principal"),
    [
        (NEW_RUN, VIEWER),
        (NEW_RUN, Principal("stranger")),
        (NEW_RUN, Principal("root@localhost")),
        (MODEL_1, DEVELOPER),
        (ROLLOUT, DEVELOPER),
        (ACME, DEVELOPER),
        (TRAIN, DEVELOPER),
    ],
)
def test_who_may_not_is_refused(path: str, principal: Principal) -> None:
    spec = small_specs().get(path, run_spec())
    _, decision = decide_request(small_tree(), request(put(path, spec), principal=principal))
    assert codes(decision) == ["forbidden"]


def test_a_deployment_goes_with_its_rollout_in_one_request() -> None:
    tree = small_tree()
    both = [Write(path, WriteAction.REMOVE, expects=blob(tree, path)) for path in (DEPLOYMENT, ROLLOUT)]
    after, decision = decide_request(tree, request(*both))
    assert isinstance(decision, Accepted)
    assert decision.files == {DEPLOYMENT: None, ROLLOUT: None}
    assert DEPLOYMENT not in after
    _, alone = decide_request(tree, request(both[1]))
    assert codes(alone) == ["forbidden"]


def allocate(content: str, model: str = "fraud") -> WriteRequest:
    folder = MODELS.replace("/fraud", f"/{model}") if model == "fraud" else f"{MODELS.rpartition('/')[0]}/{model}"
    spec = body(MODEL_1, model_spec(model, content))
    return request(Write(MODELS if model == "fraud" else folder, WriteAction.ALLOCATE, spec), principal=REGISTRY)


def test_numbers_are_given_once_also_within_a_batch() -> None:
    batch = decide_batch(small_tree(), [allocate("4"), allocate("5"), allocate("6", "brand-new"), allocate("7")])
    paths = [next(iter(item.files)) for item in batch.accepted]
    assert [path.rpartition("/models/")[2] for path in paths] == [
        "fraud/3.yaml",
        "fraud/4.yaml",
        "brand-new/1.yaml",
        "fraud/5.yaml",
    ]


def test_a_gap_is_not_filled() -> None:
    tree = small_tree()
    gone = Write(MODELS + "/1.yaml", WriteAction.REMOVE)
    free = small_tree().advance({DEPLOYMENT: None, ROLLOUT: None})
    without, decision = decide_request(free, request(gone, principal=REGISTRY))
    assert isinstance(decision, Accepted)
    _, given = decide_request(without, allocate("4"))
    assert isinstance(given, Accepted)
    assert list(given.files) == [f"{MODELS}/3.yaml"]
    _, used = decide_request(tree, request(gone, principal=REGISTRY))
    assert codes(used) == ["in-use"]


def test_a_bad_request_is_refused_alone_and_later_ones_see_the_earlier() -> None:
    twice = put(NEW_RUN, run_spec(), ABSENT)
    asked = [
        request(put(RUN, {"nonsense": 1})),
        request(twice),
        request(twice),
        request(put(NEW_RUN.replace("second", "fourth"), run_spec())),
    ]
    batch = decide_batch(small_tree(), asked)
    assert [type(item) for item in batch.decisions] == [Refused, Accepted, Refused, Accepted]
    assert [item.request for item in batch.decisions] == asked
    assert codes(batch.decisions[2]) == ["conflict"]
    assert len(batch.tree) == len(small_tree()) + 2


def test_writes_survive_their_row() -> None:
    write = put(NEW_RUN, run_spec(parameters={"label": "ü "}), ABSENT)
    assert Write.from_json(write.to_json()) == write
