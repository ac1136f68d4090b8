"""Intents go by the names that people give them."""

from __future__ import annotations

import pytest

from api.client import Ambiguous, Reference
from intents.identity import identify
from intents.kinds import Kind
from tests.fixtures.trees import small_specs


@pytest.mark.parametrize(
    ("text", "kind", "name", "version"),
    [
        ("run/train-01", Kind.RUN, "train-01", ""),
        ("Deploy/scoring", Kind.MODEL_DEPLOYMENT, "scoring", ""),
        ("model-version/fraud@2", Kind.MODEL_VERSION, "fraud", "2"),
        ("templates/train@1.0.0", Kind.TEMPLATE, "train", "1.0.0"),
        ("template/train", Kind.TEMPLATE, "train", ""),
    ],
)
def test_a_reference_names_kind_name_and_version(text: str, kind: Kind, name: str, version: str) -> None:
    assert Reference.parse(text) == Reference(kind, name, version)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run", "`run` names no run: write run/NAME"),
        ("run/", "names no run"),
        ("run/a/b", "names no run"),
        ("models/fraud@", "write model/NAME@VERSION"),
        ("deploy/a@1", "a deployment has no version: leave `@1` out"),
        ("depoy/a", "there is no kind `depoy`: did you mean `deploy`?"),
    ],
)
def test_what_names_nothing_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(Ambiguous) as raised:
        Reference.parse(text)
    assert said in str(raised.value)


@pytest.mark.parametrize("path", small_specs())
def test_every_intent_has_a_name_that_can_be_read_back(path: str) -> None:
    identity = identify(path)
    assert identity is not None
    reference = Reference.of(identity)
    assert Reference.parse(str(reference)) == reference
