from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from intents.authority import Principal
from intents.problems import Problem, Severity
from intents.writing import blob_id
from reconciler.planning.capabilities import not_carried_out
from reconciler.planning.manifest_validation import validate_manifests
from reconciler.planning.states import State
from reconciler.planning.validation import Question, left_open, validate
from renderers.crds import CrdSet
from tests.fixtures.examples import ROOT, example_files
from tests.fixtures.trees import PLATFORM

PACKAGE = (ROOT / "templates" / "train-classifier" / "1.0.0" / "pipeline.yaml").read_bytes()
CRDS = ROOT / "tests" / "fixtures" / "crds"
EXAMPLES = example_files()
CARD = "tenants/acme/projects/fraud/deployments/card"
EXPORT = "templates/export-scores/1.0.0/template.yaml"
EXPORT_PACKAGE = "templates/export-scores/1.0.0/pipeline.yaml"
Files = Mapping[str, bytes]


def state(files: Files) -> State:
    return State().advanced({path: blob_id(body) for path, body in files.items()}, files.__getitem__)


def problems(head: Files, base: Files | None = None, **more: Any) -> tuple[Problem, ...]:
    before = None if base is None else state(base)
    return validate(Question(state(head), head.__getitem__, before, **more))


def told(found: tuple[Problem, ...]) -> list[tuple[str, str, int]]:
    """Return what refuses the state."""
    return [(each.code, each.path, each.line) for each in found if each.severity is Severity.ERROR]


def edited(path: str, old: str, new: str) -> dict[str, bytes]:
    assert old.encode() in EXAMPLES[path]
    return {**EXAMPLES, path: EXAMPLES[path].replace(old.encode(), new.encode())}


def test_the_examples_are_right() -> None:
    assert problems(EXAMPLES) == ()
    assert problems(EXAMPLES, EXAMPLES) == ()
    assert problems(EXAMPLES, EXAMPLES, only_changed=True) == ()


def test_files_documents_and_references_are_looked_at() -> None:
    files = edited(f"{CARD}.yaml", "runtime: triton", "runtim: triton") | {"tenants/notes.txt": b""}
    assert {each[:2] for each in told(problems(files))} == {
        ("missing-field", f"{CARD}.yaml"),
        ("unknown-field", f"{CARD}.yaml"),
        ("misplaced-file", "tenants/notes.txt"),
    }


@pytest.mark.parametrize(
    "path",
    [
        PLATFORM,
        "platform/clusters/main.yaml",
        "tenants/acme/tenant.yaml",
        "tenants/acme/projects/fraud/project.yaml",
        "tenants/acme/projects/fraud/models/card/1.yaml",
        "templates/train-risk/1.0.0/template.yaml",
        f"{CARD}.yaml",
        f"{CARD}.rollout.yaml",
    ],
)
def test_one_wrong_file_is_one_problem(path: str) -> None:
    """What names it is not told of as well: it is there, and was right before."""
    head = {**EXAMPLES, path: EXAMPLES[path].replace(b"\nspec:\n", b"\nspec: [\n", 1)}
    assert [each[:2] for each in told(problems(head))] == [("yaml-syntax", path)]
    assert [each[:2] for each in told(problems(head, EXAMPLES))] == [("yaml-syntax", path)]
    assert [each[:2] for each in told(problems(head, EXAMPLES, only_changed=True))] == [("yaml-syntax", path)]


def test_other_problems_are_told_beside_a_wrong_file() -> None:
    head = edited(f"{CARD}.yaml", "model: card@2", "model: card@3") | {
        "tenants/globex/tenant.yaml": b"kind: [",
        "tenants/acme/projects/fraud/models/device/1.yaml": b"kind: [",
    }
    codes = {(code, path) for code, path, _ in told(problems(head, EXAMPLES))}
    assert ("unknown-model-version", f"{CARD}.yaml") in codes


def test_packages_are_looked_at() -> None:
    changed = problems({**EXAMPLES, EXPORT_PACKAGE: PACKAGE})
    assert told(changed) == [("package-changed", EXPORT, 8)]
    missing = problems({path: body for path, body in EXAMPLES.items() if path != EXPORT_PACKAGE})
    assert told(missing) == [("invalid-package", EXPORT, 7)]


def test_a_change_is_held_to_what_may_change() -> None:
    run = "tenants/acme/projects/fraud/runs/2026-11-23/train-card-02.yaml"
    files = edited(run, "rounds: 200", "rounds: 201")
    assert problems(files) == ()
    assert told(problems(files, EXAMPLES)) == [("immutable-field", run, 7)]
    assert told(problems(files, EXAMPLES, only_changed=True)) == [("immutable-field", run, 7)]


def test_only_what_changed_is_told_where_asked() -> None:
    base = {**EXAMPLES, "tenants/notes.txt": b"", EXPORT_PACKAGE: PACKAGE, f"{CARD}.yaml": b"kind: ["}
    head = {**base, "tenants/more.txt": b""}
    assert told(problems(head, base, only_changed=True)) == [("misplaced-file", "tenants/more.txt", 0)]
    every = {each[1] for each in told(problems(head, base))}
    assert {"tenants/notes.txt", "tenants/more.txt", EXPORT, f"{CARD}.yaml"} <= every


def test_a_changed_package_is_looked_at_with_its_template() -> None:
    head = {**EXAMPLES, EXPORT_PACKAGE: PACKAGE}
    assert told(problems(head, EXAMPLES, only_changed=True)) == [("package-changed", EXPORT, 8)]


@pytest.mark.parametrize(
    ("user", "groups", "path", "allowed"),
    [
        ("ana@acme.example", (), CARD, True),
        ("bob@acme.example", ("acme-ml",), CARD, True),
        ("bob@globex.example", ("globex-ml",), CARD, False),
        ("bob@acme.example", ("acme-ml",), "platform/platform", False),
        ("eve@example.com", ("ml-platform",), "platform/platform", True),
    ],
)
def test_roles(user: str, groups: tuple[str, ...], path: str, allowed: bool) -> None:
    head = {**EXAMPLES, f"{path}.yaml": EXAMPLES[f"{path}.yaml"] + b"# more\n"}
    found = problems(head, EXAMPLES, principal=Principal(user, frozenset(groups)))
    assert [each for each in told(found) if each[0] == "forbidden"] == (
        [] if allowed else [("forbidden", f"{path}.yaml", 0)]
    )


def test_files_beside_the_intents_are_the_platform_admins() -> None:
    beside = frozenset({".github/workflows/validate.yml"})
    developer = Principal("bob@acme.example", frozenset({"acme-ml"}))
    assert [each[:2] for each in told(problems(EXAMPLES, EXAMPLES, principal=developer, beside=beside))] == [
        ("forbidden", ".github/workflows/validate.yml")
    ]
    admin = Principal("eve@example.com", frozenset({"ml-platform"}))
    assert problems(EXAMPLES, EXAMPLES, principal=admin, beside=beside) == ()


def test_a_changed_list_of_images_is_held_against_every_package() -> None:
    head = edited(PLATFORM, "docker.io/library/python:3.*", "registry.example.com/python:*")
    templates = {
        path for code, path, _ in told(problems(head, EXAMPLES, only_changed=True)) if code.startswith("image")
    }
    assert EXPORT in templates


def test_what_only_the_ledger_knows_is_left_open() -> None:
    run = "tenants/acme/projects/fraud/runs/2026-11-23/train-card-02.yaml"
    less = {path: body for path, body in EXAMPLES.items() if path != run}
    question = Question(state(less), less.__getitem__, state(EXAMPLES))
    assert left_open(question) == ("whether a run or training job that is removed is still under way",)
    assert left_open(Question(state(EXAMPLES), EXAMPLES.__getitem__)) == ()


def test_nobody_has_a_role_where_there_was_no_platform() -> None:
    found = problems(EXAMPLES, {}, principal=Principal("eve@example.com", frozenset({"ml-platform"})))
    assert ("no-platform", PLATFORM, 0) in told(found)


def test_a_change_is_told_what_nothing_acts_on() -> None:
    everything = {path: body + (b"# more\n" if path.endswith(".yaml") else b"") for path, body in EXAMPLES.items()}
    tree = state(everything).tree
    gaps = [gap for path in tree if (each := tree.get(path)) for gap in not_carried_out(each, Severity.WARNING)]
    found = problems(everything, EXAMPLES)
    assert [each for each in found if each.severity is Severity.WARNING] == sorted(
        gaps, key=lambda gap: (gap.path, gap.line)
    )
    assert [each for each in problems(everything) if each.severity is Severity.WARNING] == []


# A definition that allows nothing of what is rendered.
NARROW = b"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: serving.kserve.io
  names: {kind: InferenceService}
  versions:
    - name: v1beta1
      served: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {}}}}}
"""


def manifest_problems(head: Files, crds: CrdSet, base: Files | None = None) -> tuple[Problem, ...]:
    before = None if base is None else state(base)
    return validate_manifests(Question(state(head), head.__getitem__, before, only_changed=base is not None), crds)


def test_manifests_are_held_against_definitions() -> None:
    published = CrdSet.load(file.read_bytes() for file in sorted(CRDS.glob("*.yaml")))
    assert manifest_problems(EXAMPLES, published) == ()
    found = manifest_problems(EXAMPLES, CrdSet.load([NARROW]))
    assert {each.code for each in found} == {"invalid-manifest"}
    assert f"{CARD}.yaml" in {each.path for each in found}
    first = next(each for each in found if each.path == f"{CARD}.yaml")
    assert first.message.startswith("InferenceService card-v1 on main: spec.predictor: ")


def test_only_manifests_of_what_changed_are_looked_at_where_asked() -> None:
    head = {**EXAMPLES, f"{CARD}.yaml": EXAMPLES[f"{CARD}.yaml"] + b"# more\n"}
    paths = {each.path for each in manifest_problems(head, CrdSet.load([NARROW]), EXAMPLES)}
    assert f"{CARD}.yaml" in paths
    assert all(path.startswith("tenants/acme/") for path in paths)
    assert manifest_problems(EXAMPLES, CrdSet.load([NARROW]), EXAMPLES) == ()
