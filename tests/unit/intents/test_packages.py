from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from intents.documents import Document, of_spec
from intents.kinds import TemplateSpec
from intents.packages import check_package
from intents.problems import Problem
from intents.reading import read
from tests.fixtures.trees import document

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "templates" / "train-classifier" / "1.0.0"
PATH = "templates/train-classifier/1.0.0/template.yaml"


def template(document: Document) -> Document[TemplateSpec]:
    narrowed = of_spec(document, TemplateSpec)
    assert narrowed is not None
    return narrowed


SHIPPED = template(read(PATH, (FOLDER / "template.yaml").read_bytes()))
PACKAGE = (FOLDER / "pipeline.yaml").read_bytes()


def checked(package: bytes, **changes: Any) -> tuple[Problem, ...]:
    """Check a package beside a template that names its sha256."""
    spec = SHIPPED.spec.model_dump(mode="json", by_alias=True)
    spec["package"]["sha256"] = hashlib.sha256(package).hexdigest()
    return check_package(template(document(PATH, {**spec, **changes})), package)


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


def test_an_unknown_field_of_a_container_is_found() -> None:
    spec = pipeline()
    spec["deploymentSpec"]["executors"]["exec-train"]["container"]["privileged"] = True
    (problem,) = checked(yaml.safe_dump(spec).encode())
    assert problem.code == "invalid-package"
    assert "privileged" in problem.message


def test_dangling_references_are_found() -> None:
    spec = pipeline()
    spec["components"]["comp-train"]["executorLabel"] = "exec-nothing"
    spec["root"]["dag"]["tasks"]["evaluate"]["componentRef"]["name"] = "comp-nothing"
    spec["root"]["dag"]["tasks"]["evaluate"]["dependentTasks"] = ["nothing"]
    problems = checked(yaml.safe_dump(spec).encode())
    assert {problem.code for problem in problems} == {"invalid-package"}
    assert len(problems) == 3


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


def test_a_model_must_be_an_output_of_the_package() -> None:
    problems = checked(PACKAGE, models=[{"task": "train", "output": "modle"}, {"task": "trian", "output": "model"}])
    assert [problem.field for problem in problems] == ["spec.models.0", "spec.models.1"]
