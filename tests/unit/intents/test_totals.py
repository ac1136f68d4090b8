from __future__ import annotations

import gc

from hypothesis import given, settings
from hypothesis import strategies as st

from intents.kinds import Kind
from intents.totals import _PROJECTS, _TOTALS, totals, totals_after
from intents.tree import Tree
from intents.usage import NOTHING, Amounts, peaks, total
from tests.fixtures.trees import CHURN, DEPLOYMENT, FRAUD, ROLLOUT, V1, V2, document, small_specs, small_tree

SPECS = small_specs()
PATHS = [FRAUD, CHURN, DEPLOYMENT, ROLLOUT, DEPLOYMENT.replace("acme/projects/fraud", "globex/projects/churn")]


def plainly(tree: Tree) -> dict[tuple[str, str], Amounts]:
    """Sum every project anew."""
    projects = (each.identity for each in tree.of_kind(Kind.PROJECT).values())
    sums = {(who.tenant, who.name): total(peaks(tree, who.tenant, who.name).values()) for who in projects}
    return {key: amounts for key, amounts in sums.items() if amounts != NOTHING}


def spec(path: str, replicas: int) -> dict[str, object]:
    if path.endswith("project.yaml"):
        return {**SPECS[FRAUD], "cluster": "local" if replicas % 2 else "other"}
    if path.endswith("rollout.yaml"):
        return {"of": "0" * 40, "live": [{**V2, "replicas": {"max": replicas}, "weight": 100}]}
    return {**SPECS[DEPLOYMENT], "versions": [{**V1, "replicas": {"max": replicas}}]}


CHANGES = st.dictionaries(st.sampled_from(PATHS), st.none() | st.integers(1, 5), max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=4))
def test_sums_that_follow_a_change_are_those_made_anew(steps: list[dict[str, int | None]]) -> None:
    tree = small_tree()
    for step in steps:
        docs = {path: None if many is None else document(path, spec(path, many)) for path, many in step.items()}
        after = tree.advance(docs)
        found = totals_after(tree, after, docs.keys())
        wanted = plainly(after)
        assert {key: amounts for key, amounts in found.projects.items() if amounts != NOTHING} == wanted
        for tenant in ("acme", "globex"):
            mine = total(amounts for (owner, _), amounts in wanted.items() if owner == tenant)
            assert _equal(found.tenants.get(tenant, NOTHING), mine)
        clusters = {key: project.spec.cluster for key in wanted if (project := after.project(*key))}
        for cluster in ("local", "other"):
            on_it = total(amounts for key, amounts in wanted.items() if clusters[key] == cluster)
            assert _equal(found.clusters.get(cluster, NOTHING), on_it)
        tree = after


def _equal(one: Amounts, other: Amounts) -> bool:
    return (one.cpus, one.memory) == (other.cpus, other.memory)


def test_what_is_remembered_goes_with_its_tree() -> None:
    tree = small_tree()
    assert totals(tree) is totals(tree)
    assert totals(tree.advance({})) is totals(tree)
    gc.collect()
    before = len(_TOTALS._entries), len(_PROJECTS._entries)
    other = small_tree()
    totals(other)
    assert len(_TOTALS._entries) == before[0] + 1
    del other
    gc.collect()
    assert (len(_TOTALS._entries), len(_PROJECTS._entries)) == before
