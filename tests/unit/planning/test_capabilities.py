"""What the language can ask for and nothing acts on yet is refused, and the rest is not."""

from __future__ import annotations

from typing import Any

import pytest

from intents.problems import Severity
from reconciler.planning.capabilities import not_carried_out
from tests.fixtures.trees import (
    ACME,
    CLUSTER,
    DDP,
    DEPLOYMENT,
    PLATFORM,
    RUN,
    SCHEDULE,
    TRAINING_JOB,
    document,
    small_specs,
    small_tree,
)

SPECS = small_specs()
KUBERNETES = {"argocd": {"repoURL": "https://git.example/r"}, "kfp": {"endpoint": "https://kfp.example/"}}
JWT = {"issuer": "https://i.example/", "audience": "a", "jwksUri": "https://i.example/k", "tenantClaim": "t"}

GAPS: list[tuple[str, dict[str, Any], str]] = [
    (RUN, {**SPECS[RUN], "deadline": "2h"}, "spec.deadline"),
    (RUN, {**SPECS[RUN], "tries": 2}, "spec.tries"),
    (SCHEDULE, SPECS[SCHEDULE], "kind"),
    (TRAINING_JOB, SPECS[TRAINING_JOB], "kind"),
    (DEPLOYMENT, {**SPECS[DEPLOYMENT], "traffic": {"blueGreen": {"stable": "v1", "candidate": "v2"}}}, "spec.traffic"),
    (DEPLOYMENT, {**SPECS[DEPLOYMENT], "endpoint": {"access": "public"}}, "spec.endpoint.access"),
    (DEPLOYMENT, {**SPECS[DEPLOYMENT], "endpoint": {"rateLimit": {"requestsPerSecond": 5}}}, "spec.endpoint.rateLimit"),
    (PLATFORM, {**SPECS[PLATFORM], "auth": {"mode": "jwt", "jwt": JWT}}, "spec.auth"),
    (CLUSTER, {"driver": "local", "kserve": {"mode": "Knative"}}, "spec.kserve.mode"),
    (ACME, {**SPECS[ACME], "egress": [{"to": "10.0.0.0/8", "ports": [443]}]}, "spec.egress"),
    (DDP, SPECS[DDP], "spec.training"),
]


@pytest.mark.parametrize(("path", "spec", "field"), GAPS, ids=[row[2] for row in GAPS])
def test_what_nothing_acts_on_is_told_where_it_stands(path: str, spec: dict[str, Any], field: str) -> None:
    (problem,) = not_carried_out(document(path, spec))
    assert (problem.code, problem.field, problem.severity) == ("not-carried-out", field, Severity.ERROR)
    assert problem.line > 0


def test_the_rest_of_the_small_tree_is_carried_out() -> None:
    tree = small_tree()
    gaps = {path for path in tree if (each := tree.get(path)) and not_carried_out(each)}
    assert gaps == {SCHEDULE, TRAINING_JOB, DDP}
