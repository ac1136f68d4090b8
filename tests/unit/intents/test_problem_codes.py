"""Every code of the catalogue: a document or a change that has the problem, and where it is told."""
# ruff: noqa: E501 - a table is read by its lines

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from intents.authority import Principal, forbidden
from intents.catalogue import CATALOGUE
from intents.checks import check
from intents.problems import InvalidIntent
from intents.reading import read
from intents.tree import Tree
from tests.fixtures.trees import (
    ACME,
    CHURN,
    CLUSTER,
    DEPLOYMENT,
    FRAUD,
    GLOBEX,
    MODEL_1,
    OTHER_MODEL,
    PLATFORM,
    ROLLOUT,
    RUN,
    SECRET,
    TRAIN,
    V1,
    V2,
    document,
    model_spec,
    small_specs,
    small_tree,
    version_spec,
)

HEAD = "apiVersion: ordain.dev/v1alpha1\nkind: Run\nspec:\n  template: train@1.0.0\n"
DEPLOYED = """\
apiVersion: ordain.dev/v1alpha1
kind: ModelDeployment
spec:
  runtime: triton
  traffic: {replace: {}}
  endpoint: {timeout: 5s}
  versions:
    - name: v1
      model: fraud@1
      resources: {cpus: 1, memory: 2Gi}
      digest: "sha256:DIGEST"
""".replace("DIGEST", "a" * 64)

TENANT = """\
apiVersion: ordain.dev/v1alpha1
kind: Tenant
spec:
  displayName: Acme
  hostnames: [acme]
  defaultProject: fraud
"""

DOCUMENTS: list[tuple[str, str, str | bytes, int]] = [
    ("misplaced-file", "tenants/readme.txt", HEAD, 0),
    ("invalid-name", "tenants/ACME/tenant.yaml", HEAD, 0),
    ("invalid-name", DEPLOYMENT, DEPLOYED.replace("name: v1", "name: v-1"), 8),
    ("too-large", RUN, HEAD + "#" * 300_000, 1),
    ("not-utf8", RUN, HEAD.encode() + b"  # \xff\n", 5),
    ("not-utf8", RUN, "\ufeff" + HEAD, 1),
    ("yaml-syntax", RUN, HEAD + "  parameters: [1, 2\n", 6),
    ("yaml-syntax", RUN, HEAD + "  parameters: {a: \x00}\n", 5),
    ("yaml-feature", RUN, HEAD + "  parameters: &all {}\n", 5),
    ("yaml-feature", RUN, HEAD + "  parameters: {a: !!str 1}\n", 5),
    ("yaml-feature", RUN, HEAD + "  <<: {attempt: 2}\n", 5),
    ("yaml-feature", RUN, "%YAML 1.1\n---\n" + HEAD, 1),
    ("empty-document", RUN, "# nothing\n", 2),
    ("several-documents", RUN, HEAD + "---\n" + HEAD, 5),
    ("too-deep", RUN, HEAD + "  parameters: {a: " + "[" * 40 + "]" * 40 + "}\n", 5),
    ("duplicate-key", RUN, HEAD + "  template: train@1.0.0\n", 5),
    ("key-not-text", RUN, HEAD + "  parameters: {1: 2}\n", 5),
    ("ambiguous-scalar", RUN, HEAD + "  parameters: {a: no}\n", 5),
    ("ambiguous-scalar", RUN, HEAD + "  parameters: {a: 'x\u2028y'}\n", 5),
    ("number-out-of-range", RUN, HEAD + f"  parameters: {{a: {2**64}}}\n", 5),
    ("kind-mismatch", CLUSTER, HEAD.replace("  template: train@1.0.0", "  driver: local"), 2),
    ("unknown-field", RUN, HEAD + "  deadlin: 2h\n", 5),
    ("missing-field", RUN, HEAD.replace("  template: train@1.0.0", "  attempt: 1"), 3),
    ("wrong-type", RUN, HEAD + "  attempt: x\n", 5),
    ("invalid-value", RUN, HEAD + "  desired: Paused\n", 5),
    ("out-of-range", RUN, HEAD + "  attempt: 0\n", 5),
    ("out-of-range", DEPLOYMENT, DEPLOYED + "      replicas: {min: 3, max: 2}\n", 12),
    ("invalid-reference", RUN, HEAD.replace("@1.0.0", ""), 4),
    ("invalid-quantity", DEPLOYMENT, DEPLOYED.replace("2Gi", "2GB"), 10),
    ("invalid-quantity", DEPLOYMENT, DEPLOYED.replace("cpus: 1", "cpus: 0"), 10),
    ("invalid-network", ACME, TENANT + "  egress: [{to: 10.0.0.1/8, ports: [1]}]\n", 7),
    ("invalid-duration", DEPLOYMENT, DEPLOYED.replace("5s", "5 seconds"), 6),
]

# What is changed in the small tree, and where the problem is told.
Change = Mapping[str, Mapping[str, Any] | None]
SPECS = small_specs()
RUN_2 = RUN.replace("first", "second")
CHANGES: list[tuple[str, Change, str, str]] = [
    ("no-platform", {PLATFORM: None}, PLATFORM, ""),
    ("unknown-tenant", {"tenants/nobody/projects/x/project.yaml": SPECS[FRAUD]}, "tenants/nobody/projects/x/project.yaml", ""),
    ("unknown-tenant", {SECRET: {**SPECS[SECRET], "tenants": ["globx"]}}, SECRET, "spec.tenants.0"),
    ("unknown-project", {RUN.replace("projects/fraud", "projects/frod"): SPECS[RUN]}, RUN.replace("projects/fraud", "projects/frod"), ""),
    ("unknown-project", {ACME: {**SPECS[ACME], "defaultProject": "nothing"}}, ACME, "spec.defaultProject"),
    ("unknown-cluster", {CHURN.replace("churn", "new"): {"cluster": "locl"}}, CHURN.replace("churn", "new"), "spec.cluster"),
    ("unknown-template", {RUN_2: {"template": "train@2.0.0"}}, RUN_2, "spec.template"),
    ("template-not-offered", {RUN_2: {"template": "secret@1.0.0"}}, RUN_2, "spec.template"),
    ("unknown-model-version", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [{**V2, "model": "fraud@3"}]}}, DEPLOYMENT, "spec.versions.0.model"),
    ("digest-mismatch", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [{**V2, "model": "fraud@1"}]}}, DEPLOYMENT, "spec.versions.0.digest"),
    ("digest-mismatch", {MODEL_1.replace("1.yaml", "3.yaml"): {**SPECS[MODEL_1], "digest": V2["digest"]}}, MODEL_1.replace("1.yaml", "3.yaml"), "spec.digest"),
    ("unknown-parameter", {RUN_2: {"template": "train@1.0.0", "parameters": {"rounds": 1, "lable": "x"}}}, RUN_2, "spec.parameters.lable"),
    ("missing-parameter", {RUN_2: {"template": "train@1.0.0"}}, RUN_2, "spec.parameters.rounds"),
    ("invalid-parameter", {RUN_2: {"template": "train@1.0.0", "parameters": {"rounds": 501}}}, RUN_2, "spec.parameters.rounds"),
    ("invalid-parameter", {RUN_2: {"template": "train@1.0.0", "parameters": {"rounds": "9"}}}, RUN_2, "spec.parameters.rounds"),
    ("no-model-output", {RUN_2.replace("acme/projects/fraud", "globex/projects/churn"): {"template": "secret@1.0.0", "register": {"model": "m"}}}, RUN_2.replace("acme/projects/fraud", "globex/projects/churn"), "spec.register"),
    ("output-not-chosen", {TRAIN.replace("1.0.0", "2.0.0"): {**SPECS[TRAIN], "models": [{"task": "a", "output": "x"}, {"task": "a", "output": "y"}]}, RUN_2: {**SPECS[RUN], "template": "train@2.0.0"}}, RUN_2, "spec.register"),
    ("unknown-output", {RUN_2: {**SPECS[RUN], "register": {"model": "fraud", "output": "modle"}}}, RUN_2, "spec.register.output"),
    ("run-name-used", {RUN.replace("-23", "-24"): SPECS[RUN]}, RUN, ""),
    ("attempt-lowered", {RUN: {**SPECS[RUN], "attempt": 1}}, RUN, "spec.attempt"),
    ("invalid-schema", {SECRET.replace("1.0.0", "1.1.0"): {**SPECS[SECRET], "parameters": {"type": "objct"}}}, SECRET.replace("1.0.0", "1.1.0"), "spec.parameters"),
    ("invalid-schema", {SECRET.replace("1.0.0", "1.1.0"): {**SPECS[SECRET], "parameters": {"type": "array"}}}, SECRET.replace("1.0.0", "1.1.0"), "spec.parameters"),
    ("model-layout", {OTHER_MODEL.replace("1.yaml", "2.yaml"): model_spec("fraud", "4")}, OTHER_MODEL.replace("1.yaml", "2.yaml"), "spec.files"),
    ("duplicate-name", {TRAIN.replace("1.0.0", "2.0.0"): {**SPECS[TRAIN], "models": [{"task": "a", "output": "x"}, {"task": "b", "output": "x"}]}}, TRAIN.replace("1.0.0", "2.0.0"), "spec.models.1"),
    ("duplicate-name", {ROLLOUT: {"of": "0" * 40, "live": [{**V1, "weight": 50}, {**V1, "weight": 50}]}}, ROLLOUT, "spec.live.1.name"),
    ("replace-one-version", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [V1, V2]}}, DEPLOYMENT, "spec.versions.1"),
    ("mixed-models", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [version_spec("v3", "other@1", "3")]}}, DEPLOYMENT, "spec.versions.0.model"),
    ("version-changed", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [{**V2, "name": "v1"}]}}, DEPLOYMENT, "spec.versions.0.name"),
    ("version-changed", {ROLLOUT: {"of": "0" * 40, "live": [{**V2, "name": "v1", "weight": 100}]}}, ROLLOUT, "spec.live.0.name"),
    ("weights-sum", {ROLLOUT: {"of": "0" * 40, "live": [{**V1, "weight": 90}, {**V2, "weight": 20}]}}, ROLLOUT, "spec.live"),
    ("orphan-rollout", {DEPLOYMENT: None}, ROLLOUT, ""),
    ("derived-name-clash", {DEPLOYMENT.replace("scoring", "scoring-v1"): {**SPECS[DEPLOYMENT], "versions": [V2]}}, DEPLOYMENT.replace("scoring", "scoring-v1"), ""),
    ("duplicate-hostname", {GLOBEX: {**SPECS[GLOBEX], "hostnames": ["globex", "acme"]}}, GLOBEX, "spec.hostnames.1"),
    ("duplicate-hostname", {GLOBEX: {**SPECS[GLOBEX], "hostnames": ["globex", "globex"]}}, GLOBEX, "spec.hostnames.1"),
    ("immutable-field", {RUN: {**SPECS[RUN], "attempt": 3, "parameters": {"rounds": 7}}}, RUN, "spec.parameters"),
    ("immutable-field", {PLATFORM: {**SPECS[PLATFORM], "repository": {"uid": "00000000-0000-4000-8000-000000000000"}}}, PLATFORM, "spec.repository.uid"),
    ("immutable-field", {MODEL_1: {**SPECS[MODEL_1], "signature": {}}}, MODEL_1, "spec.signature"),
    ("not-empty", {ACME: None}, ACME, ""),
    ("not-empty", {FRAUD: None}, FRAUD, ""),
    ("in-use", {CLUSTER: None}, CLUSTER, ""),
    ("in-use", {TRAIN: None}, TRAIN, ""),
    ("in-use", {MODEL_1: None}, MODEL_1, ""),
    ("in-use", {GLOBEX: None, CHURN: None}, GLOBEX, ""),
]  # fmt: skip

ELSEWHERE = {
    "forbidden": "test_authority",
    "conflict": "the writer's tests",
    "invalid-package": "test_packages",
    "package-changed": "test_packages",
    "package-parameters": "test_packages",
    "invalid-member": "below",
    "not-carried-out": "planning/test_capabilities",
}


def base_specs() -> dict[str, dict[str, Any]]:
    """Return the small tree with a run that was tried twice."""
    specs = small_specs()
    return {**specs, RUN: {**specs[RUN], "attempt": 2}}


@pytest.mark.parametrize(("code", "path", "body", "line"), DOCUMENTS)
def test_a_document_with_the_problem(code: str, path: str, body: str | bytes, line: int) -> None:
    with pytest.raises(InvalidIntent) as refused:
        read(path, body if isinstance(body, bytes) else body.encode())
    assert [(each.code, each.line) for each in refused.value.problems][:1] == [(code, line)]


@pytest.mark.parametrize(("code", "change", "path", "field"), CHANGES)
def test_a_change_with_the_problem(code: str, change: Change, path: str, field: str) -> None:
    base = small_tree().advance({RUN: document(RUN, base_specs()[RUN])})
    assert check(base, base) == ()
    head = base.advance({each: None if spec is None else document(each, spec) for each, spec in change.items()})
    problems = check(base, head, change.keys())
    found = {(each.code, each.path, each.field) for each in problems}
    assert (code, path, field) in found
    assert set(problems) == set(check(base, head)), "checking only what changed missed something"
    assert all(each.line for each in problems if each.field)


def test_the_small_tree_is_the_good_example_of_every_check() -> None:
    assert check(Tree.empty(), small_tree()) == ()


@pytest.mark.parametrize("who", [{"user": "a", "group": "b"}, {}, {"user": "ordain-registry"}])
def test_a_member_is_a_user_or_a_group(who: dict[str, str]) -> None:
    spec = {**small_specs()[ACME], "members": [{**who, "roles": ["viewer"]}]}
    with pytest.raises(InvalidIntent) as refused:
        document(ACME, spec)
    assert refused.value.problems[0].code == "invalid-member"


def test_a_role_is_missing() -> None:
    problem = forbidden(small_tree(), Principal("nobody"), RUN)
    assert problem is not None
    assert problem.code == "forbidden"


def test_every_code_has_an_example() -> None:
    assert {row[0] for row in (*DOCUMENTS, *CHANGES)} | ELSEWHERE.keys() == CATALOGUE.keys()
