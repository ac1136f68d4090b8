"""Starting documents are right as they are, and stay right when what is commented out is brought in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from api.cli.work_tree import tree_in
from intents import starting
from intents.checks import check
from intents.documents import Document
from intents.explaining import explain
from intents.identity import identify
from intents.kinds import Kind, RunSpec
from intents.problems import InvalidIntent
from intents.reading import read
from intents.schemas import file_name
from intents.starting import CannotStart, Start, Started
from intents.starting.parameters import starting_value
from intents.tree import Tree
from tests.fixtures.examples import ROOT, example_tree
from tests.fixtures.trees import small_tree

DATE = "2026-11-24"
COMMAND = {"type": "object", "properties": {"text": {"type": "string", "default": "hello"}}}
KUBERNETES = {"argocd": {"repoURL": "https://git.example.com/state"}, "kfp": {"endpoint": "http://ml-pipeline:8888"}}


TREES = {"small": small_tree(), "examples": example_tree(), "shipped": tree_in(ROOT)}


def everything(tree: Tree) -> list[tuple[Started, ...]]:
    """Start one of each kind in each project, of each template and model there."""
    cluster = min(document.identity.name for document in tree.of_kind(Kind.CLUSTER).values())
    started: list[tuple[Started, ...]] = [
        (starting.cluster("spare", "local"),),
        (starting.cluster("spare", "kubernetes", KUBERNETES),),
        (starting.tenant("umbrella", "main"), starting.project(tree, "umbrella", "main", cluster)),
        (starting.training_template("starter", "0.1.0", "docker.io/library/python:3.11"),),
        (starting.pipeline_template("starter", "0.1.0", b"components: {}\n", COMMAND),),
    ]
    for _, document in sorted(tree.of_kind(Kind.PROJECT).items()):
        at = Start(tree, document.identity.tenant, document.identity.name, "starter")
        started.append((starting.project(tree, at.tenant, "starter", cluster),))
        started += [(each,) for each in in_project(at)]
    return started


def in_project(at: Start) -> list[Started]:
    started = [starting.deployment(at, model) for model in sorted(at.tree.models(at.tenant, at.project))]
    for reference, template in sorted(at.tree.templates().items()):
        if not template.spec.offered_to(at.tenant):
            continue
        if template.spec.training:
            started.append(starting.training_job(at, reference))
        else:
            started += [starting.run(at, reference, DATE), starting.schedule(at, reference, "0 3 * * *")]
    return started


STARTED = [
    pytest.param(tree, files, id=f"{name}-{files[0].path}")
    for name, tree in TREES.items()
    for files in everything(tree)
]


@pytest.mark.parametrize(("tree", "files"), STARTED)
def test_what_is_started_is_right(tree: Tree, files: tuple[Started, ...]) -> None:
    documents = {file.path: read(file.path, file.body) for file in files}
    problems = check(tree, tree.advance(documents), documents.keys())
    # A template may ask for more than a project has: `ordain new` then writes nothing and says so.
    assert [problem for problem in problems if problem.code != "never-fits"] == []


@pytest.mark.parametrize(("tree", "files"), STARTED)
def test_what_is_commented_out_can_be_brought_in(tree: Tree, files: tuple[Started, ...]) -> None:
    for file in files:
        whole = read(file.path, uncommented(file.body))
        template = tree.template(whole.spec.template) if isinstance(whole.spec, RunSpec) else None
        if template is not None:
            Draft202012Validator(template.spec.parameters).validate(dict(given_parameters(whole)))


def uncommented(body: bytes) -> bytes:
    return re.sub(rb"^( *)#(?! \S)", rb"\1", body, flags=re.MULTILINE)


def given_parameters(document: Document) -> Mapping[str, Any]:
    assert isinstance(document.spec, RunSpec)
    return document.spec.parameters


@pytest.mark.parametrize(("tree", "files"), STARTED)
def test_the_first_line_leads_to_the_schema(tree: Tree, files: tuple[Started, ...]) -> None:
    for file in files:
        identity = identify(file.path)
        assert identity is not None
        first = file.body.decode().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert resolved(file.path, first.partition("=")[2]) == f"platform/schemas/{file_name(identity.kind)}"


def resolved(path: str, relative: str) -> str:
    folder = path.split("/")[:-1]
    for part in relative.split("/"):
        if part == "..":
            folder.pop()
        else:
            folder.append(part)
    return "/".join(folder)


def test_all_kinds_that_people_write_can_be_started() -> None:
    started = {identify(file.path) for files in everything(small_tree()) for file in files}
    kinds = {identity.kind for identity in started if identity}
    assert kinds == set(Kind) - {Kind.PLATFORM, Kind.MODEL_VERSION, Kind.ROLLOUT}


def test_a_run_has_every_choice_beside_it() -> None:
    text = starting.run(Start(small_tree(), "acme", "fraud", "mine"), "train", DATE).body.decode()
    assert "\n    # Needed. (integer, at least 1, at most 500)\n    rounds: 1\n" in text
    assert "\n    # (string, 10 or fewer characters)\n    #label: change-me\n" in text
    for field in explain(Kind.RUN, ("spec",)).fields:
        assert re.search(rf"^  #?{field.name}:", text, re.MULTILINE), field.name


def test_parameters_that_are_all_optional_are_commented_out_whole() -> None:
    tree = TREES["small"]
    ddp = starting.training_job(Start(tree, "acme", "fraud", "mine"), "ddp")
    assert b"\n  #parameters:\n    # (integer)\n    #epochs: 0\n" in ddp.body


def test_a_deployment_has_the_digest_of_its_model() -> None:
    at = Start(small_tree(), "acme", "fraud", "mine")
    model = at.tree.model_version("acme", "fraud", "fraud@1")
    assert model is not None
    assert model.spec.digest in starting.deployment(at, "fraud@1").body.decode()
    assert "model: fraud@2" in starting.deployment(at, "fraud").body.decode()


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (lambda at: starting.run(at, "trainn", DATE), "there is no template trainn: did you mean `train`?"),
        (lambda at: starting.run(at, "ddp", DATE), "template ddp@1.0.0 is a training program: start a training-job"),
        (lambda at: starting.training_job(at, "train"), "template train@1.0.0 is a pipeline: start a run of it"),
        (lambda at: starting.deployment(at, "frau"), "project fraud has no model frau: did you mean `fraud`?"),
        (lambda at: starting.deployment(at, "fraud@9"), "fraud has no version 9: fraud@1, fraud@2"),
        (lambda at: starting.deployment(at, "fraud@x"), "fraud has no version x: fraud@1, fraud@2"),
        (
            lambda at: starting.deployment(Start(at.tree, "acme", "frau", "x"), "fraud"),
            "tenant acme has no project frau: did you mean `fraud`?",
        ),
        (lambda _: starting.project(Tree.empty(), "acme", "new", None), "there is no cluster yet"),
        (lambda _: starting.project(TREES["examples"], "acme", "new", None), "there are several clusters"),
    ],
)
def test_what_cannot_be_started_is_answered_with_what_can(start: Any, said: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        start(Start(small_tree(), "acme", "fraud", "mine"))
    assert str(refusal.value).startswith(said)


def test_names_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidIntent, match="invalid-name"):
        starting.run(Start(small_tree(), "acme", "fraud", "My_Run"), "train", DATE)


INTEGERS = st.integers(-1000, 1000)


@st.composite
def bounded(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the schema of a number with at least one value."""
    kind = draw(st.sampled_from(["integer", "number"]))
    value = draw(INTEGERS)
    schema: dict[str, Any] = {"type": kind}
    low = draw(st.sampled_from([None, "minimum", "exclusiveMinimum"]))
    high = draw(st.sampled_from([None, "maximum", "exclusiveMaximum"]))
    if low:
        schema[low] = value - draw(st.integers(1, 9))
    if high:
        schema[high] = value + draw(st.integers(1, 9))
    return schema


@given(bounded())
def test_a_starting_number_is_within_its_limits(schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(starting_value(schema))


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_starting_text_is_within_its_limits(least: int, more: int) -> None:
    schema = {"type": "string", "minLength": least, "maxLength": least + more}
    Draft202012Validator(schema).validate(starting_value(schema))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"default": 3, "enum": [1, 3]}, 3),
        ({"const": "a"}, "a"),
        ({"enum": ["b", "c"]}, "b"),
        ({"type": "string", "examples": ["s3://bucket"]}, "s3://bucket"),
        ({"type": "integer", "multipleOf": 5, "minimum": 7}, 10),
        ({"type": ["null", "string"]}, None),
        ({"type": "boolean"}, False),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"type": "object", "properties": {"a": {"minimum": 4, "type": "integer"}}, "required": ["a"]}, {"a": 4}),
        ({}, "change-me"),
    ],
)
def test_a_starting_value_follows_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert starting_value(schema) == value
    Draft202012Validator(schema).validate(value)
