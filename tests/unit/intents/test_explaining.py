"""What `ordain explain` says is what the reader holds documents to."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from intents.explaining import Field, NothingToExplain, document, explain, kind_of, overview, to_text
from intents.identity import identify, path_form
from intents.kinds import SPECS, Kind
from intents.reading import ENVELOPES
from intents.schemas import IMMUTABLE, definition, schema
from tests.fixtures.trees import small_specs

FIELDS = [field for kind in Kind for field in document(kind).walk()]


def _id(field: Field) -> str:
    return ".".join((field.kind, *field.path))


@pytest.mark.parametrize("field", FIELDS, ids=_id)
def test_every_field_is_described_in_a_sentence(field: Field) -> None:
    assert len(field.description) > 10
    assert field.description.endswith((".", "…"))
    assert "`intents." not in field.description  # where code lies is nothing to a tenant


@pytest.mark.parametrize("kind", Kind)
def test_an_example_is_a_value_of_its_field(kind: Kind) -> None:
    made = schema(kind)
    nodes = [field for model in made["$defs"].values() for field in model.get("properties", {}).values()]
    for node in nodes:
        for example in node.get("examples", ()):
            Draft202012Validator({"$defs": made["$defs"], **node}).validate(example)


def test_immutable_are_the_fields_that_are_not_mutable() -> None:
    for kind, spec in SPECS.items():
        fields = {field.name: field for field in explain(kind, ("spec",)).fields}
        aliases = {info.alias or name: name for name, info in spec.model_fields.items()}
        assert {aliases[name] for name, field in fields.items() if not field.immutable} == spec.MUTABLE


def test_what_lies_in_an_immutable_field_is_immutable() -> None:
    assert explain(Kind.RUN, ("register", "model")).immutable
    assert not explain(Kind.SCHEDULE, ("run", "template")).immutable


def test_required_is_what_the_reader_misses() -> None:
    for kind in Kind:
        spec = ENVELOPES[kind].model_fields["spec"]
        assert spec.is_required()
        required = {field.name for field in explain(kind, ("spec",)).fields if field.required}
        fields = SPECS[kind].model_fields
        assert required == {info.alias or name for name, info in fields.items() if info.is_required()}


@pytest.mark.parametrize("name", ["ModelDeployment", "modeldeployment", "model-deployment", "MODEL_DEPLOYMENT"])
def test_kinds_are_known_in_any_case(name: str) -> None:
    assert kind_of(name) is Kind.MODEL_DEPLOYMENT


def test_the_place_a_problem_names_can_be_asked_for() -> None:
    assert explain(Kind.MODEL_DEPLOYMENT, ("spec", "versions", "0", "model")) == explain(
        Kind.MODEL_DEPLOYMENT, ("versions", "model")
    )
    assert explain(Kind.MODEL_DEPLOYMENT, ("versions", "1", "replicas", "min")).default == "1"


def test_a_field_has_its_type_choices_and_limits() -> None:
    assert explain(Kind.TENANT, ("members", "roles")).type == "[]string"
    assert explain(Kind.TENANT, ("members", "roles")).choices == ("viewer", "developer", "approver", "admin")
    assert explain(Kind.PLATFORM, ("policies",)).keys[:2] == ("imageAllowlist", "noPrivileged")
    assert explain(Kind.PLATFORM, ("policies",)).choices == ("audit", "enforce")
    assert explain(Kind.PROJECT, ("quota", "gpus")).type == "map[string]integer"
    assert explain(Kind.RUN, ("parameters",)).type == "map[string]any"
    assert explain(Kind.RUN, ("tries",)).limits == ("at least 1", "at most 10")
    assert explain(Kind.RUN, ("kind",)).choices == ("Run",)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("spec", "templat"), "`Run.spec` has no field `templat`: did you mean `template`?"),
        (("zebra",), "`Run.spec` has no field `zebra`: fields: template, parameters"),
        (("template", "name"), "`Run.spec.template` has no field `name`: fields: none"),
        (("register", "0"), "`Run.spec.register` has no field `0`: fields: model, output"),
    ],
)
def test_an_unknown_field_is_answered_with_the_nearest(path: tuple[str, ...], said: str) -> None:
    with pytest.raises(NothingToExplain) as refusal:
        explain(Kind.RUN, path)
    assert str(refusal.value).startswith(said)


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(NothingToExplain, match="there is no kind `Deploment`: did you mean `deployment`"):
        kind_of("Deploment")


def test_a_page_has_a_line_a_field() -> None:
    text = to_text(explain(Kind.SCHEDULE))
    assert text.splitlines()[:3] == [
        "KIND:        Schedule",
        "PATH:        tenants/<tenant>/projects/<project>/schedules/<schedule>.yaml",
        "WRITTEN BY:  developers of the tenant",
    ]
    assert "\n    cron         <string>" in text
    assert "minRequests" not in to_text(explain(Kind.MODEL_DEPLOYMENT))
    assert "minRequests" in to_text(explain(Kind.MODEL_DEPLOYMENT), recursive=True)


@pytest.mark.parametrize("kind", Kind)
def test_a_page_fits_a_terminal_and_says_the_same_there(kind: Kind) -> None:
    whole = explain(kind)
    narrow, wide = (to_text(whole, recursive=True, width=width) for width in (80, None))
    assert narrow.split() == wide.split()
    assert all(len(line) <= 80 or len(line.split()[-1]) > 24 for line in narrow.splitlines())


def test_the_overview_has_a_line_a_kind() -> None:
    lines = overview().splitlines()
    assert [line.split()[0] for line in lines[1:]] == [kind.value for kind in Kind]
    assert "tenants/<tenant>/tenant.yaml" in overview()


def test_a_form_of_path_is_where_its_kind_lies() -> None:
    wanted = {identity.kind: path for path in small_specs() if (identity := identify(path))}
    for kind, path in wanted.items():
        form = path_form(kind)
        assert len(form.split("/")) == len(path.split("/"))
        assert form.split("/")[0] == path.split("/")[0]
        assert form.rpartition(".")[2] == "yaml"


def test_schemas_say_what_cannot_change() -> None:
    made = schema(Kind.MODEL_VERSION)
    spec = definition(made, made["properties"]["spec"]["$ref"])
    assert all(field[IMMUTABLE] for field in spec["properties"].values())
