# ruff: noqa: E501 - a table is read by its lines
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from intents.documents import Document, of_spec
from intents.kinds import TemplateSpec
from intents.packages import check_package
from intents.problems import Problem
from intents.reading import read
from tests.fixtures.trees import document
from tests.property.strategies import JSON

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "templates" / "train-classifier" / "1.0.0"
PATH = "templates/train-classifier/1.0.0/template.yaml"


def template(document: Document) -> Document[TemplateSpec]:
    narrowed = of_spec(document, TemplateSpec)
    assert narrowed is not None
    return narrowed


SHIPPED = template(read(PATH, (FOLDER / "template.yaml").read_bytes()))
PACKAGE = (FOLDER / "pipeline.yaml").read_bytes()


def checked(package: bytes, allow: list[str] | None = None, **changes: Any) -> tuple[Problem, ...]:
    """Check a package beside a template that names its sha256."""
    spec = SHIPPED.spec.model_dump(mode="json", by_alias=True)
    spec["package"]["sha256"] = hashlib.sha256(package).hexdigest()
    return check_package(template(document(PATH, {**spec, **changes})), package, allow)


def told(*documents: Any) -> list[tuple[str, str]]:
    """Return code and message of what is wrong with a package of these documents."""
    return [(problem.code, problem.message) for problem in checked(yaml.safe_dump_all(documents).encode())]


def pipeline() -> dict[str, Any]:
    loaded: dict[str, Any] = next(yaml.safe_load_all(PACKAGE))
    return loaded


def test_the_shipped_package_is_sound() -> None:
    assert check_package(SHIPPED, PACKAGE) == ()


def test_other_bytes_are_refused_with_their_digest() -> None:
    (problem,) = check_package(SHIPPED, PACKAGE + b"\n")
    assert problem.code == "package-changed"
    assert hashlib.sha256(PACKAGE + b"\n").hexdigest() in problem.message
    assert problem.line == 8


@pytest.mark.parametrize("package", [b"", b"{", b"- a", b"a: 1\n", b"---\n---\n---\n", b"deploymentSpec: 1\n"])
def test_what_is_no_pipeline(package: bytes) -> None:
    assert [problem.code for problem in checked(package)] == ["invalid-package"]


@pytest.mark.parametrize(
    "package",
    [
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        b"pipelineInfo: " + b"[" * 100_000,
        b"pipelineInfo: " + b"{a: " * 100_000 + b"}" * 100_000,
    ],
)
def test_aliases_and_bottomless_nesting_are_refused_before_they_hurt(package: bytes) -> None:
    assert [problem.code for problem in checked(package)] == ["invalid-package"]


def test_an_unknown_field_of_a_container_is_found() -> None:
    spec = pipeline()
    spec["deploymentSpec"]["executors"]["exec-train"]["container"]["privileged"] = True
    (problem,) = checked(yaml.safe_dump(spec).encode())
    assert problem.code == "invalid-package"
    assert "privileged" in problem.message


# Where in the package, what is put there (None: nothing), and what is said. Each of them is a 500 of a real API server,
# or is taken by it although it cannot run as it is meant to.
BROKEN: list[tuple[str, Any, str]] = [
    ("root", None, "root has no tasks"),
    ("root.dag.tasks", {}, "root has no tasks"),
    ("schemaVersion", "3.0.0", "KFP takes 2.1.0 only"),
    ("schemaVersion", None, "KFP takes 2.1.0 only"),
    ("pipelineInfo.name", "", "the pipeline's name is ''"),
    ("pipelineInfo.name", "Trivial Pipeline_With CAPS", "the pipeline's name is 'Trivial"),
    ("pipelineInfo.displayName", "n" * 300, "300 characters"),
    ("colour", "red", "no field named"),
    ("root.dag.tasks.train.colour", "red", "no field named"),
    ("components.comp-train.executorLabel", "exec-gone", "executor exec-gone that is not there"),
    ("components.comp-train.executorLabel", None, "has neither an executor nor tasks"),
    ("root.dag.tasks.evaluate.componentRef.name", "comp-gone", "component comp-gone that is not there"),
    ("root.dag.tasks.evaluate.dependentTasks", ["nobody"], "depends on a task nobody that is not there"),
    ("root.dag.tasks.prepare.dependentTasks", ["evaluate"], "tasks of root go round in a circle: "),
    ("root.dag.tasks.train.dependentTasks", ["train"], "tasks of root go round in a circle: train → train"),
    ("root.dag.tasks.train.inputs.artifacts.training.taskOutputArtifact.producerTask", "ghost", "a task ghost that is not there"),
    ("root.dag.tasks.train.inputs.artifacts.training.taskOutputArtifact.outputArtifactKey", "ghost", "an output ghost that task prepare does not have"),
    ("root.dag.tasks.train.inputs.parameters.rounds.componentInputParameter", "ghost", "an input ghost that is not there"),
    ("root.dag.tasks.train.inputs.parameters.ghost", {"componentInputParameter": "rounds"}, "gives an input ghost that its component does not take"),
    ("root.dag.tasks.train.inputs.parameters.rounds", None, "does not give the input rounds that its component needs"),
    ("root.dag.tasks.train.inputs.parameters.rounds", {"taskFinalStatus": {"producerTask": "ghost"}}, "the status of a task ghost that is not there"),
    ("root.dag.outputs.artifacts.model", {"artifactSelectors": [{"producerSubtask": "ghost", "outputArtifactKey": "model"}]}, "from a task ghost that is not there"),
    ("root.dag.outputs.parameters.loss", {"valueFromParameter": {"producerSubtask": "train", "outputParameterKey": "loss"}}, "fills an output loss that it does not have"),
    ("components.comp-train", {"dag": {"tasks": {"again": {"componentRef": {"name": "comp-train"}}}}}, "components of the package go round in a circle"),
    ("deploymentSpec.executors.exec-train", {"customJob": {}}, "which no Kubernetes cluster runs"),
]  # fmt: skip


def put(spec: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        spec = spec.setdefault(key, {})
    if value is None:
        del spec[last]
    else:
        spec[last] = value


@pytest.mark.parametrize(("path", "value", "said"), BROKEN, ids=[f"{row[0]}={str(row[1])[:20]}" for row in BROKEN])
def test_what_a_real_server_answers_wrongly_is_found(path: str, value: Any, said: str) -> None:
    spec = pipeline()
    put(spec, path, value)
    found = told(spec)
    assert {code for code, _ in found} <= {"invalid-package", "package-parameters"}
    assert any(said in message for _, message in found), found


def test_other_spellings_of_a_field_are_the_same_field() -> None:
    """Protobuf's JSON takes `component_ref` too, and null for nothing."""
    spec = pipeline()
    spec["deployment_spec"] = spec.pop("deploymentSpec")
    spec["components"]["comp-train"]["executor_label"] = spec["components"]["comp-train"].pop("executorLabel")
    spec["components"]["comp-train"]["dag"] = None
    assert told(spec) == []
    spec["deployment_spec"]["executors"]["exec-train"]["container"]["image"] = "{{$.inputs.parameters['image']}}"
    assert [code for code, _ in told(spec)] == ["invalid-image"]


@pytest.mark.parametrize("image", ["", None, "{{workflow.name}}", "registry/$(image)", "Python"])
def test_an_image_is_fixed(image: str | None) -> None:
    spec = pipeline()
    put(spec, "deploymentSpec.executors.exec-train.container.image", image)
    assert [code for code, _ in told(spec)] == ["invalid-image"]


def test_images_are_on_the_platforms_list() -> None:
    assert checked(PACKAGE, ["python:3.*"]) == ()
    problems = checked(PACKAGE, ["quay.io/*"])
    assert {problem.code for problem in problems} == {"image-not-allowed"}
    assert len(problems) == 3


def platform(config: Any, label: str = "exec-train", name: str = "kubernetes") -> dict[str, Any]:
    return {"platforms": {name: {"deploymentSpec": {"executors": {label: config}}}}}


def test_a_platform_spec_is_held_against_its_messages_too() -> None:
    assert told(pipeline(), platform({"securityContext": {"runAsUser": 1000}, "imagePullPolicy": "Always"})) == []
    ((code, message),) = told(pipeline(), platform({"hostPath": "/etc"}))
    assert code == "invalid-package"
    assert "hostPath" in message
    assert "exec-gone" in told(pipeline(), platform({}, "exec-gone"))[0][1]
    assert "vertex" in told(pipeline(), platform({}, name="vertex"))[0][1]
    assert "no KFP platform spec" in told(pipeline(), {"colour": "red"})[0][1]


@pytest.mark.parametrize("config", [{"securityContext": {"runAsUser": 0}}, {"security_context": {"run_as_user": "0"}}])
def test_a_task_does_not_run_as_root(config: dict[str, Any]) -> None:
    assert [code for code, _ in told(pipeline(), platform(config))] == ["runs-as-root"]


def test_a_token_in_the_source_is_found() -> None:
    spec = pipeline()
    token = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
    put(spec, "deploymentSpec.executors.exec-train.container.env", [{"name": "HF_TOKEN", "value": token}])
    assert [code for code, _ in told(spec)] == ["looks-like-secret"]


PARTS = st.sampled_from(
    ["root", "components", "deploymentSpec", "pipelineInfo", "dag", "tasks", "train", "inputs", "outputs"]
)


@settings(max_examples=60, deadline=None)
@given(path=st.lists(PARTS, min_size=1, max_size=5).map(".".join), value=JSON)
def test_any_package_is_checked_without_a_crash(path: str, value: Any) -> None:
    spec = pipeline()
    try:
        put(spec, path, value)
    except (TypeError, KeyError, AttributeError):
        return
    checked(yaml.safe_dump(spec).encode())


def test_parameters_and_inputs_must_agree() -> None:
    schema = {"type": "object", "properties": {"rounds": {"type": "string"}, "nothing": {"type": "string"}}}
    problems = checked(PACKAGE, parameters=schema)
    assert [(problem.code, problem.field) for problem in problems] == [
        ("package-parameters", "spec.parameters.properties.nothing"),
        ("package-parameters", "spec.parameters.properties.rounds"),
    ]


def test_an_input_without_default_must_be_a_required_parameter() -> None:
    spec = pipeline()
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    inputs["rounds"] = {"parameterType": "NUMBER_INTEGER"}
    inputs["more"] = {"parameterType": "STRING"}
    problems = checked(yaml.safe_dump(spec).encode())
    assert [(problem.code, problem.field) for problem in problems] == [
        ("package-parameters", "spec.parameters"),
        ("package-parameters", "spec.parameters.properties.rounds"),
    ]


def test_the_schema_has_the_inputs_types_and_lets_nothing_else_in() -> None:
    """So what the schema takes, the package takes."""
    schema = SHIPPED.spec.parameters
    properties = schema["properties"]
    assert isinstance(properties, dict)
    untyped = {**schema, "properties": {**properties, "rounds": {"minimum": 1}}}
    (problem,) = checked(PACKAGE, parameters=untyped)
    assert (problem.code, problem.hint) == ("package-parameters", "write `type: integer`")
    openings: list[dict[str, Any]] = [
        {"additionalProperties": True},
        {"additionalProperties": {}},
        {"patternProperties": {}},
    ]
    for opened in openings:
        (problem,) = checked(PACKAGE, parameters={**schema, **opened})
        assert problem.code == "package-parameters"
        assert "lets in parameters" in problem.message


def test_a_model_must_be_an_output_of_the_package() -> None:
    problems = checked(PACKAGE, models=[{"task": "train", "output": "modle"}, {"task": "trian", "output": "model"}])
    assert [problem.field for problem in problems] == ["spec.models.0", "spec.models.1"]
