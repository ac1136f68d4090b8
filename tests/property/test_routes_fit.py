from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from intents.tree import Tree
from renderers.rendering import render_unit
from tests.fixtures.custom_resources import complaints, missing_defaults
from tests.fixtures.serving import OF, SCORING
from tests.fixtures.trees import DEPLOYMENT, ROLLOUT, document, small_specs, small_tree, version_spec

NAMES = [f"v{number}" for number in range(1, 11)]
CONDITIONS = st.builds(
    lambda kind, name, value: {kind: {"name": name, "value": value}},
    st.sampled_from(["header", "cookie"]),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,20}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9._~+/=-]{1,20}", fullmatch=True),
)


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[list[str], list[dict[str, Any]]]:
    """Return versions and matches, up to the limits: 10 versions and 64 matches."""
    versions = NAMES[: draw(st.integers(2, len(NAMES)))]
    condition = draw(CONDITIONS)
    counts = draw(st.lists(st.integers(0, 64), min_size=len(versions), max_size=len(versions)))
    matches = [
        {"version": name, **condition} for name, count in zip(versions, counts, strict=True) for _ in range(count)
    ]
    return versions, draw(st.permutations(matches[:64]))


def tree_of_test(versions: list[str], matches: list[dict[str, Any]]) -> Tree:
    """Return a tree in which `scoring` tests these versions, all with a share."""
    specs = [version_spec(name, f"fraud@{number}", "1") for number, name in enumerate(versions, 1)]
    split = dict.fromkeys(versions, 1) | {versions[0]: 101 - len(versions)}
    target = {**small_specs()[DEPLOYMENT], "versions": specs, "traffic": {"ab": {"split": split, "match": matches}}}
    live = [{**spec, "weight": split[spec["name"]]} for spec in specs]
    documents = {DEPLOYMENT: document(DEPLOYMENT, target), ROLLOUT: document(ROLLOUT, {"of": OF, "live": live})}
    return small_tree().advance(documents)


@settings(max_examples=25, deadline=None)
@given(comparison=comparisons())
def test_every_ab_test_fits_the_gateway_api(comparison: tuple[list[str], list[dict[str, Any]]]) -> None:
    """What the definition says, and its rules in CEL that no JSON Schema holds."""
    versions, matches = comparison
    routes = [
        each for each in render_unit(tree_of_test(versions, matches), SCORING).values() if each["kind"] == "HTTPRoute"
    ]
    reached: dict[str, list[str]] = {}
    for route in routes:
        assert complaints(route) == []
        assert missing_defaults(route) == []
        rules = route["spec"]["rules"]
        assert len(rules) <= 16
        assert sum(len(rule["matches"]) for rule in rules) <= 128
        for rule in rules:
            (path,) = {match["path"]["value"] for match in rule["matches"]}
            reached.setdefault(path, []).extend(each["name"] for each in rule["backendRefs"])
    preferred = list(dict.fromkeys(match["version"] for match in matches))
    everyone = [f"scoring-{name}-predictor" for name in (*preferred, *versions)]
    assert list(reached.values()) == [everyone] * 6
    assert len({route["metadata"]["name"] for route in routes}) == len(routes)
