from __future__ import annotations

import json
from math import ceil
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from intents.checks import check
from intents.composing import compose
from intents.identity import Identity, identify, namespace, path_of
from intents.kinds import Kind, Spec
from intents.names import DERIVED, DNS_LABEL_LIMIT, RULES, complaint
from intents.problems import InvalidIntent, Problem
from intents.quantities import canonical_quantity, quantity_value
from intents.reading import read
from intents.scalars import is_text, resolve
from intents.schemas import export, file_name, rendered
from intents.tree import Tree
from intents.writing import dump, to_yaml
from tests.fixtures.trees import (
    ACME,
    DEPLOYMENT,
    GLOBEX,
    ROLLOUT,
    RUN,
    TRAIN,
    V1,
    V2,
    document,
    small_specs,
    small_tree,
    version_spec,
)
from tests.property.strategies import DOCUMENTS, JSON, OBJECTS, name, specs

PATHS = {found.kind: path for path in reversed(small_specs()) if (found := identify(path))}


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_written_is_read_back(kind: Kind, data: st.DataObject) -> None:
    spec = data.draw(specs(kind))
    body = dump(kind, spec)
    again = read(PATHS[kind], body).spec
    assert again == spec
    assert dump(kind, again) == body


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_exported_schema_accepts_what_the_reader_accepts(kind: Kind, data: st.DataObject) -> None:
    fields = data.draw(DOCUMENTS[kind])
    validator = Draft202012Validator(json.loads(rendered(export()[file_name(kind)])))
    validator.validate(yaml.load(dump(kind, fields), Loader=yaml.CSafeLoader))


@settings(max_examples=66, deadline=None)
@given(value=OBJECTS)
def test_another_reader_gives_the_same_values(value: dict[str, Any]) -> None:
    body = to_yaml(value, sort_keys=False)
    composed = compose(body)
    assert composed.findings == []
    assert composed.value == value
    assert yaml.load(body, Loader=yaml.CSafeLoader) == value


@settings(max_examples=100, deadline=None)
@given(text=st.from_regex(r"[-+0-9a-fA-Fxo_.:eE~yYnNtT ]{1,12}", fullmatch=True).map(str.strip).filter(bool))
def test_an_accepted_scalar_means_the_same_to_yaml_1_1(text: str) -> None:
    try:
        value = resolve(text)
    except ValueError:
        return
    if _is_one_scalar(text):
        assert yaml.safe_load(f"- {text}") == [value]


def _is_one_scalar(text: str) -> bool:
    """Whether `text` is a scalar where it stands; `0:` and `- x` are structure."""
    try:
        events = list(yaml.parse(f"- {text}"))
    except yaml.YAMLError:
        return False
    scalars = [event.value for event in events if isinstance(event, yaml.ScalarEvent)]
    return scalars == [text] and not any(isinstance(event, yaml.MappingStartEvent) for event in events)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=20))
def test_text_taken_for_text_stays_text(text: str) -> None:
    if is_text(text):
        assert resolve(text) == text


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_no_bytes_bring_the_reader_down(body: bytes) -> None:
    for path in (RUN, DEPLOYMENT):
        with pytest.raises(InvalidIntent) as refused:
            read(path, body)
        assert refused.value.problems


@settings(max_examples=66, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=st.sampled_from(list(Kind)))
def test_no_shape_brings_the_reader_down(data: st.DataObject, kind: Kind) -> None:
    fields = data.draw(DOCUMENTS[kind])
    broken = data.draw(st.dictionaries(st.sampled_from([*fields, "more"]), JSON, max_size=2))
    assert all(problem.line for problem in _problems(PATHS[kind], dump(kind, {**fields, **broken})))


def _problems(path: str, body: bytes) -> tuple[Problem, ...]:
    try:
        read(path, body)
    except InvalidIntent as refused:
        return refused.problems
    return ()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"{a: " * 50_000,
        b"- " * 100_000,
        b"? " * 100_000,
        b"a: &a [*a, *a]\n",
        b"x: '" + b"y" * 250_000 + b"'\n",
        b'"' + b"\\u0041" * 40_000,
        b"k: |\n" + b"  line\n" * 30_000,
        b"1" * 200_000,
        b"# comment\n" * 20_000,
    ],
)
def test_no_document_keeps_the_reader_busy(body: bytes) -> None:
    with pytest.raises(InvalidIntent):
        read(RUN, body)


@settings(max_examples=50, deadline=None)
@given(names=st.fixed_dictionaries({what: name(what) for what in RULES}))
def test_every_derived_name_fits_a_dns_label(names: dict[str, str]) -> None:
    assert all(complaint(what, text) is None or text == "platform" for what, text in names.items())
    for derived in DERIVED.values():
        assert len(derived.format(**names)) <= DNS_LABEL_LIMIT


def test_the_longest_names_fit_a_dns_label() -> None:
    longest = {what: "x" * rule.limit for what, rule in RULES.items()}
    lengths = {what: len(derived.format(**longest)) for what, derived in DERIVED.items()}
    assert {what: length for what, length in lengths.items() if length > DNS_LABEL_LIMIT} == {}


@settings(max_examples=50, deadline=None)
@given(one=st.tuples(name("tenant"), name("project")), other=st.tuples(name("tenant"), name("project")))
def test_two_projects_never_meet_in_a_namespace(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (namespace(*one) == namespace(*other)) == (one == other)


@settings(max_examples=50, deadline=None)
@given(one=st.tuples(name("deployment"), name("version")), other=st.tuples(name("deployment"), name("version")))
def test_two_served_versions_never_share_an_inference_service(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert ("-".join(one) == "-".join(other)) == (one == other)


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from(list(Kind)), names=st.fixed_dictionaries({what: name(what) for what in RULES}))
def test_a_path_is_an_identity(kind: Kind, names: dict[str, str]) -> None:
    if names["tenant"] == "platform":
        return
    identity = _identity(kind, names)
    assert identify(path_of(identity)) == identity


def _identity(kind: Kind, names: dict[str, str]) -> Identity:
    inside = {"tenant": names["tenant"], "project": names["project"]}
    identities = {
        Kind.PLATFORM: Identity(Kind.PLATFORM, "platform"),
        Kind.CLUSTER: Identity(Kind.CLUSTER, names["cluster"]),
        Kind.TENANT: Identity(Kind.TENANT, names["tenant"], names["tenant"]),
        Kind.PROJECT: Identity(Kind.PROJECT, names["project"], **inside),
        Kind.TEMPLATE: Identity(Kind.TEMPLATE, names["template"], version=names["template version"]),
        Kind.RUN: Identity(Kind.RUN, names["run"], date="2026-11-23", **inside),
        Kind.SCHEDULE: Identity(Kind.SCHEDULE, names["schedule"], **inside),
        Kind.TRAINING_JOB: Identity(Kind.TRAINING_JOB, names["training job"], **inside),
        Kind.MODEL_VERSION: Identity(Kind.MODEL_VERSION, names["model"], version=names["model version"], **inside),
        Kind.MODEL_DEPLOYMENT: Identity(Kind.MODEL_DEPLOYMENT, names["deployment"], **inside),
        Kind.ROLLOUT: Identity(Kind.ROLLOUT, names["deployment"], **inside),
    }
    return identities[kind]


@settings(max_examples=100, deadline=None)
@given(text=st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,6})?(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti|e[0-9])?", fullmatch=True))
def test_a_canonical_quantity_has_the_same_value(text: str) -> None:
    try:
        value = quantity_value(text)
    except ValueError:
        return
    canonical = canonical_quantity(text)
    assert quantity_value(canonical) == (ceil(value) if text.endswith("i") and value >= 1024 else value)
    assert canonical_quantity(canonical) == canonical


SPECS = small_specs()
MOVES: dict[str, list[dict[str, Any] | None]] = {
    **{path: [None, spec] for path, spec in SPECS.items()},
    ACME: [None, SPECS[ACME], {**SPECS[ACME], "hostnames": ["acme", "globex"]}],
    GLOBEX: [None, SPECS[GLOBEX], {**SPECS[GLOBEX], "hostnames": ["acme-2"], "defaultProject": "none"}],
    RUN: [None, {**SPECS[RUN], "attempt": 2}, {**SPECS[RUN], "parameters": {}}],
    RUN.replace("-23", "-24"): [SPECS[RUN]],
    RUN.replace("acme/projects/fraud", "globex/projects/churn"): [{"template": "secret@1.0.0"}],
    TRAIN.replace("1.0.0", "1.1.0"): [{**SPECS[TRAIN], "tenants": ["acme", "globex"]}],
    DEPLOYMENT: [
        None,
        {**SPECS[DEPLOYMENT], "versions": [V2]},
        {**SPECS[DEPLOYMENT], "versions": [version_spec("v1", "other@1", "3")]},
    ],
    DEPLOYMENT.replace("scoring", "scoring-v1"): [{**SPECS[DEPLOYMENT], "versions": [V1]}],
    DEPLOYMENT.replace("scoring", "scoring-v2"): [{**SPECS[DEPLOYMENT], "versions": [V2]}],
    ROLLOUT: [
        None,
        {"of": "1" * 40, "live": [{**V1, "weight": 100}, {**V2, "weight": 0}]},
        {"of": "1" * 40, "live": [{**V2, "name": "v1", "weight": 100}], "lastGood": [{**V1, "weight": 100}]},
    ],
}
CHANGES = st.fixed_dictionaries({}, optional={path: st.sampled_from(specs) for path, specs in MOVES.items()})


@settings(max_examples=66, deadline=None)
@given(first=CHANGES, second=CHANGES)
def test_checking_what_changed_finds_what_checking_everything_finds(
    first: dict[str, dict[str, Any] | None], second: dict[str, dict[str, Any] | None]
) -> None:
    base = _changed(small_tree(), first)
    if check(Tree.empty(), base):
        base = small_tree()
    head = _changed(base, second)
    assert check(base, head, second.keys()) == check(base, head)


@settings(max_examples=33, deadline=None)
@given(first=CHANGES, second=CHANGES)
def test_a_tree_is_the_same_however_it_was_reached(
    first: dict[str, dict[str, Any] | None], second: dict[str, dict[str, Any] | None]
) -> None:
    walked = _changed(_changed(small_tree(), first), second)
    known = {path: found for path in walked if (found := walked.get(path))}
    at_once = Tree.empty().advance(known)
    assert set(walked) == set(at_once)
    for kind in Kind:
        assert dict(walked.of_kind(kind)) == dict(at_once.of_kind(kind))
    for found in known.values():
        who = found.identity
        assert dict(walked.named(who)) == dict(at_once.named(who))
        inside = (who.kind, who.tenant, who.project)
        assert dict(walked.in_project(*inside)) == dict(at_once.in_project(*inside))
    assert all(dict(walked.claimants(label)) == dict(at_once.claimants(label)) for label in ("acme", "globex"))


def _changed(tree: Tree, change: dict[str, dict[str, Any] | None]) -> Tree:
    return tree.advance({path: None if spec is None else document(path, spec) for path, spec in change.items()})


def test_every_kind_is_drawn() -> None:
    assert DOCUMENTS.keys() == set(Kind)
    assert issubclass(type(small_tree().platform), Spec)
