"""Kinds go by one table of names, wherever people type them."""

from __future__ import annotations

from itertools import chain

import pytest

from intents.kind_names import CALLED, UnknownKind, kind_called
from intents.kinds import Kind


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_known_by_its_own_name_and_all_others_it_has(kind: Kind) -> None:
    for name in (kind.value, *CALLED[kind]):
        for typed in (name, name.upper(), name.replace("model", "model-")):
            assert kind_called(typed) is kind


def test_no_two_kinds_share_a_name() -> None:
    names = list(chain.from_iterable(CALLED.values()))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("typed", "meant"), [("deploiment", "deployment"), ("Runns", "runs")])
def test_another_name_says_what_comes_near(typed: str, meant: str) -> None:
    with pytest.raises(UnknownKind, match=f"there is no kind `{typed}`: did you mean `{meant}"):
        kind_called(typed)


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(UnknownKind, match=r"kinds: platform, cluster, tenant, .*, rollout$"):
        kind_called("zzz")
