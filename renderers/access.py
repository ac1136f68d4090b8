"""Project → the accounts its pods run as, and the little that they may ask of the API server."""

from __future__ import annotations

from collections.abc import Iterator

from intents.identity import namespace
from intents.kinds.cluster import Credentials
from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.site import in_project, site_of
from renderers.unit import Unit

SERVING_ACCOUNT = "ordain-serving"
"""Of model servers: KServe finds the S3 credentials by it; its pods get no token."""
RUNS_ACCOUNT = "ordain-runs"
"""Of the pods of runs and training jobs."""

KFP_LAUNCHER_CONFIG = "kfp-launcher"

_RBAC = "rbac.authorization.k8s.io"


def render_access(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the ServiceAccounts of a project, and the Role of its runs."""
    credentials = site_of(tree, unit).credentials
    yield _account(
        unit,
        SERVING_ACCOUNT,
        credentials,
        automountServiceAccountToken=False,
        secrets=[{"name": credentials.object_store}],
    )
    yield _account(unit, RUNS_ACCOUNT, credentials, automountServiceAccountToken=True)
    yield in_project(unit, f"{_RBAC}/v1", "Role", RUNS_ACCOUNT, rules=_rules(credentials))
    yield in_project(
        unit,
        f"{_RBAC}/v1",
        "RoleBinding",
        RUNS_ACCOUNT,
        roleRef={"apiGroup": _RBAC, "kind": "Role", "name": RUNS_ACCOUNT},
        subjects=[
            {"kind": "ServiceAccount", "name": RUNS_ACCOUNT, "namespace": namespace(unit.tenant, unit.project)},
        ],
    )


def _account(unit: Unit, name: str, credentials: Credentials, **body: object) -> Manifest:
    pulls = {"imagePullSecrets": [{"name": credentials.images}]} if credentials.images else {}
    return in_project(unit, "v1", "ServiceAccount", name, **body, **pulls)


def _rules(credentials: Credentials) -> list[Manifest]:
    """Return what a step of a run needs: Argo's executor says how it ended, KFP's launcher finds the object store."""
    return [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [KFP_LAUNCHER_CONFIG], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [credentials.object_store], "verbs": ["get"]},
    ]
