from __future__ import annotations

import pytest

from intents.kinds import Kind
from intents.problems import InvalidIntent
from intents.tree import Tree
from tests.fixtures.trees import (
    ACME,
    DDP,
    DEPLOYMENT,
    GLOBEX,
    MODEL_1,
    RUN,
    SECRET,
    TRAIN,
    document,
    small_specs,
    small_tree,
)


def test_lookups_by_name() -> None:
    tree = small_tree()
    specs = small_specs()
    assert len(tree) == len(specs)
    assert set(tree) == specs.keys()
    assert tree.platform.base_domain == "ml.localhost"
    assert set(tree.projects("acme")) == {"fraud"}
    assert set(tree.runs("acme", "fraud")) == {RUN}
    assert set(tree.deployments("acme", "fraud")) == {"scoring"}
    assert tree.models("acme", "fraud") == ("fraud", "other")
    assert list(tree.model_versions("acme", "fraud", "fraud")) == [1, 2]
    assert list(tree.templates()) == ["ddp@1.0.0", "secret@1.0.0", "train@1.0.0"]
    assert tree.hostnames() == {
        "acme.ml.localhost": "acme",
        "globex-eu.ml.localhost": "globex",
        "globex.ml.localhost": "globex",
    }
    found = (
        tree.cluster("local"),
        tree.tenant("acme"),
        tree.project("acme", "fraud"),
        tree.run("acme", "fraud", "first"),
        tree.model_version("acme", "fraud", "fraud@2"),
        tree.deployment("acme", "fraud", "scoring"),
        tree.rollout("acme", "fraud", "scoring"),
        tree.schedule("acme", "fraud", "nightly"),
        tree.training_job("acme", "fraud", "linear"),
    )
    assert all(found)


def test_what_is_not_there() -> None:
    tree = small_tree()
    assert tree.tenant("nobody") is None
    assert tree.project("globex", "fraud") is None
    assert tree.template("train@9.9.9") is None
    assert tree.template("nothing") is None
    assert tree.model_version("acme", "fraud", "fraud@9") is None
    assert tree.model_version("acme", "fraud", "fraud") is None
    assert dict(tree.runs("globex", "churn")) == {}
    with pytest.raises(InvalidIntent):
        _ = Tree.empty().platform


def test_a_bare_template_name_is_its_newest_version() -> None:
    newer = {TRAIN.replace("1.0.0", version): small_specs()[TRAIN] for version in ("1.9.0", "1.10.0")}
    tree = small_tree().advance({path: document(path, spec) for path, spec in newer.items()})
    newest = tree.template("train")
    assert newest is not None
    assert newest.identity.version == "1.10.0"
    assert list(tree.templates()) == ["ddp@1.0.0", "secret@1.0.0", "train@1.0.0", "train@1.9.0", "train@1.10.0"]


def test_an_older_tree_is_not_touched() -> None:
    before = small_tree()
    moved = {**small_specs()[GLOBEX], "hostnames": ["globex-us"]}
    after = before.advance({RUN: None, GLOBEX: document(GLOBEX, moved), SECRET: None})
    assert before.get(RUN) is not None
    assert before.hostnames()["globex.ml.localhost"] == "globex"
    assert after.get(RUN) is None
    assert after.run("acme", "fraud", "first") is None
    assert set(after.hostnames()) == {"acme.ml.localhost", "globex-us.ml.localhost"}
    assert set(after.of_kind(Kind.TEMPLATE)) == {DDP, TRAIN}


def test_removing_what_is_not_there_changes_nothing() -> None:
    tree = small_tree()
    assert set(tree.advance({"tenants/none/tenant.yaml": None})) == set(tree)
    assert tree.advance({}) is tree


def test_what_did_not_change_is_the_same_document() -> None:
    before = small_tree()
    after = before.advance({RUN: None})
    assert after.get(DEPLOYMENT) is before.get(DEPLOYMENT)
    assert after.get(MODEL_1) is before.get(MODEL_1)
    assert set(after.claimants("acme")) == {ACME}
