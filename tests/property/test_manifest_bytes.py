from __future__ import annotations

from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from intents import writing
from renderers.canonical import to_yaml
from renderers.rendering import render_cluster, render_unit
from tests.fixtures.examples import example_tree
from tests.fixtures.serving import SCORING, revisions, situations, strategies
from tests.property.strategies import JSON, TEXT

MANIFESTS = st.dictionaries(TEXT, JSON, min_size=1, max_size=5)
NASTY: dict[str, Any] = {
    "no": "no",
    "a: b": "- x",
    "1": ["1", "0755", "12:30:45", "2026-11-23", "", "~", "null", "true", "1e3", "0x1F", "=", "<<", ".5", "a:", "a #b"],
    "empty": [{}, [], [[]], [{}], [[], {}], {"a": {}, "b": []}],
    "lists": [[["x"]], [[{"a": 1}, {"b": 2}]], [{"a": [{"b": [1]}]}]],
    "long key" * 20: 1,
    "lines": "one\ntwo",
    "breaks": "a\u2028b\x85c",
    "truth": [True, False, None, 0, -1, 2**63, 1.5, -0.0],
    "quotes": [
        "'",
        '"',
        "it's",
        "\t",
        " leading",
        "trailing ",
        "@at",
        "`",
        "%",
        "&a",
        "*a",
        "!t",
        "|",
        ">",
        "{",
        "[",
        "?",
    ],
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifest=MANIFESTS)
@example(manifest=NASTY)
def test_the_bytes_are_pyyamls_and_are_read_back(manifest: dict[str, Any]) -> None:
    body = to_yaml(manifest)
    assert body == writing.to_yaml(manifest, sort_keys=True)
    assert yaml.load(body, yaml.CSafeLoader) == manifest


@settings(max_examples=100, deadline=None)
@given(part=JSON, depth=st.integers(0, 60))
def test_parts_that_are_shared_are_written_wherever_they_stand(part: Any, depth: int) -> None:
    manifest: dict[str, Any] = {"a": part, "b": [part, {"c": part}, [part]]}
    for _ in range(depth):
        manifest = {"in": manifest, "beside": part}
    assert to_yaml(manifest) == writing.to_yaml(manifest, sort_keys=True)


def test_rendered_manifests_have_pyyamls_bytes() -> None:
    trees = {**situations(), **strategies(), **revisions()}.values()
    rendered = [manifest for tree in trees for manifest in render_unit(tree, SCORING).values()]
    for cluster in ("main", "burst"):
        rendered += render_cluster(example_tree(), cluster).values()
    for manifest in rendered:
        assert to_yaml(manifest) == writing.to_yaml(manifest, sort_keys=True)
