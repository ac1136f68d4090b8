from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue

from reconciler.planning.plan.diff import Change, FieldDifference, differences
from reconciler.planning.plan.wording import field_text

V1: dict[str, JsonValue] = {"name": "v1", "weight": 90}
V2: dict[str, JsonValue] = {"name": "v2", "weight": 10}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("changed", "a.b", 1, 2)]),
        ({"a": 1}, {"b": 1}, [("removed", "a", 1, None), ("added", "b", None, 1)]),
        ({"a": 1}, {"a": True}, [("changed", "a", 1, True)]),
        ({"a": 1}, {"a": 1.0}, [("changed", "a", 1, 1.0)]),
        ({"a": {}}, {"a": []}, [("changed", "a", {}, [])]),
        ({"a.b": {"c d": 1}}, {"a.b": {"c d": 2}}, [("changed", '["a.b"]["c d"]', 1, 2)]),
        ({"l": [1, 2]}, {"l": [1, 3, 4]}, [("changed", "l[1]", 2, 3), ("added", "l[2]", None, 4)]),
        (
            {"l": [V1]},
            {"l": [{**V1, "weight": 0}, V2]},
            [("changed", "l[v1].weight", 90, 0), ("added", "l[v2]", None, V2)],
        ),
        ({"l": [V1, V2]}, {"l": [V2]}, [("removed", "l[v1]", V1, None)]),
        ({"l": [{"name": "0"}]}, {"l": []}, [("removed", 'l["0"]', {"name": "0"}, None)]),
    ],
)
def test_differences_name_the_field(before: JsonValue, after: JsonValue, expected: list[Any]) -> None:
    found = [(each.change.value, each.path, each.before, each.after) for each in differences(before, after)]
    assert found == expected


def test_items_that_changed_places_are_compared_by_position() -> None:
    paths = [each.path for each in differences({"l": [V1, V2]}, {"l": [V2, V1]})]
    assert paths == ["l[0].name", "l[0].weight", "l[1].name", "l[1].weight"]


def test_items_of_one_name_are_compared_by_position() -> None:
    paths = [each.path for each in differences({"l": [V1, V1]}, {"l": [V1]})]
    assert paths == ["l[1]"]


DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (FieldDifference(Change.CHANGED, "a", 1, "1"), 'a: 1 → "1"'),
        (FieldDifference(Change.ADDED, "a", after={"d": DIGEST}), 'a: {"d": "sha256:0123456789ab…"}'),
        (FieldDifference(Change.REMOVED, "a", before="x" * 300), f'a: "{"x" * 198}…'),
        (FieldDifference(Change.CHANGED, "a", "x" * 99 + "1", "x" * 99 + "2"), 'a: …1" → …2"'),
        (FieldDifference(Change.CHANGED, "a", DIGEST + "1", DIGEST + "2"), 'a: …1" → …2"'),
    ],
)
def test_a_field_is_written_so_that_the_difference_shows(difference: FieldDifference, text: str) -> None:
    assert field_text(difference) == text
