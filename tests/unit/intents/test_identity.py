from __future__ import annotations

import pytest

from intents.identity import Identity, identify, misplaced, namespace, path_of
from intents.kinds import Kind
from intents.problems import InvalidIntent
from tests.fixtures.trees import small_specs

IDENTITIES = {
    "platform/platform.yaml": Identity(Kind.PLATFORM, "platform"),
    "platform/clusters/local.yaml": Identity(Kind.CLUSTER, "local"),
    "templates/train/1.0.0/template.yaml": Identity(Kind.TEMPLATE, "train", version="1.0.0"),
    "tenants/acme/tenant.yaml": Identity(Kind.TENANT, "acme", "acme"),
    "tenants/acme/projects/ml/project.yaml": Identity(Kind.PROJECT, "ml", "acme", "ml"),
    "tenants/acme/projects/ml/runs/2026-11-23/a.yaml": Identity(Kind.RUN, "a", "acme", "ml", date="2026-11-23"),
    "tenants/acme/projects/ml/schedules/nightly.yaml": Identity(Kind.SCHEDULE, "nightly", "acme", "ml"),
    "tenants/acme/projects/ml/training/linear.yaml": Identity(Kind.TRAINING_JOB, "linear", "acme", "ml"),
    "tenants/acme/projects/ml/models/m/12.yaml": Identity(Kind.MODEL_VERSION, "m", "acme", "ml", "12"),
    "tenants/acme/projects/ml/deployments/d.yaml": Identity(Kind.MODEL_DEPLOYMENT, "d", "acme", "ml"),
    "tenants/acme/projects/ml/deployments/d.rollout.yaml": Identity(Kind.ROLLOUT, "d", "acme", "ml"),
}


@pytest.mark.parametrize(("path", "identity"), IDENTITIES.items())
def test_a_path_and_an_identity_are_the_same_name(path: str, identity: Identity) -> None:
    assert identify(path) == identity
    assert path_of(identity) == path
    assert misplaced(path) is None


def test_every_kind_has_a_path() -> None:
    assert {identity.kind for identity in IDENTITIES.values()} == set(Kind)
    assert all(identify(path) for path in small_specs())


@pytest.mark.parametrize(
    "path",
    [
        "templates/train/1.0.0/pipeline.yaml",
        "templates/train/1.0.0/src/steps.py",
        "platform/schemas/run.json",
        "platform/install/crds.yaml",
    ],
)
def test_companion_files_are_no_intents_and_not_misplaced(path: str) -> None:
    assert identify(path) is None
    assert misplaced(path) is None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("README.md", "misplaced-file"),
        ("platform/other.yaml", "misplaced-file"),
        ("tenants/acme/tenant.yml", "misplaced-file"),
        ("tenants/acme/projects/ml/runs/a.yaml", "misplaced-file"),
        ("tenants/acme/projects/ml/deployments/.yaml", "misplaced-file"),
        ("templates/train/template.yaml", "misplaced-file"),
        ("tenants/ACME/tenant.yaml", "invalid-name"),
        ("tenants/a--b/tenant.yaml", "invalid-name"),
        ("tenants/-a/tenant.yaml", "invalid-name"),
        ("tenants/platform/tenant.yaml", "invalid-name"),
        ("tenants/a-name-too-long-x/tenant.yaml", "invalid-name"),
        ("templates/train/1.0/template.yaml", "invalid-name"),
        ("templates/train/01.0.0/template.yaml", "invalid-name"),
        ("tenants/acme/projects/ml/runs/2026-02-30/a.yaml", "invalid-name"),
        ("tenants/acme/projects/ml/runs/20261123/a.yaml", "invalid-name"),
        ("tenants/acme/projects/ml/models/m/0.yaml", "invalid-name"),
        ("tenants/acme/projects/ml/models/m/v1.yaml", "invalid-name"),
        ("tenants/acme/projects/ml/deployments/1st.yaml", "invalid-name"),
        ("tenants/acme/projects/ml/deployments/.rollout.yaml", "invalid-name"),
        ("tenants/acme/projects/ml/deployments/a.b.yaml", "invalid-name"),
        ("tenants/../projects/ml/project.yaml", "invalid-name"),
        ("tenants/acme\n/tenant.yaml", "invalid-name"),
    ],
)
def test_no_intent_lies_anywhere_else(path: str, code: str) -> None:
    assert identify(path) is None
    problem = misplaced(path)
    assert problem is not None
    assert problem.code == code


def test_a_path_is_never_made_of_a_bad_name() -> None:
    with pytest.raises(InvalidIntent) as refused:
        path_of(Identity(Kind.RUN, "../x", "acme", "ml", date="today"))
    assert [problem.code for problem in refused.value.problems] == ["invalid-name", "invalid-name"]


def test_projects_never_share_a_namespace() -> None:
    assert namespace("acme", "ml-prod") != namespace("acme-ml", "prod")
