"""What clusters say, as they were seen to say it, in plain words."""

from __future__ import annotations

import pytest

from reconciler.planning.cluster_words import in_plain_words

SAID = [
    (
        (
            "one or more synchronization tasks are not valid: namespace globex--churn is not permitted in project "
            "'local-acme'. Retrying attempt #2 at 2026-11-24T18:45:27Z."
        ),
        "the namespace globex--churn is fenced off: the AppProject local-acme lets nothing of it go there",
    ),
    (
        (
            "failed to create typed patch object (acme--fraud/scoring-v9; serving.kserve.io/v1beta1, "
            "Kind=InferenceService): .spec.predictor.minReplicas: expected numeric (int or float), got string"
        ),
        "it is no valid object: .spec.predictor.minReplicas: expected numeric (int or float), got string",
    ),
    (
        (
            'admission webhook "inferenceservice.kserve-webhook-server.pod-mutator" denied the request: '
            'secrets "ordain-object-store" not found'
        ),
        (
            "the webhook inferenceservice.kserve-webhook-server.pod-mutator refuses it: "
            'secrets "ordain-object-store" not found'
        ),
    ),
    (
        (
            "admission denied: ValidatingAdmissionPolicy 'ordain-image-allowlist' with "
            "binding 'ordain-image-allowlist' denied request: the image evil:1 is not on the list"
        ),
        "the policy ordain-image-allowlist refuses it: the image evil:1 is not on the list",
    ),
    (
        (
            "Failed to load target state: failed to evaluate revision changes for source 1 of 1: failed to update "
            "revision for paths: rpc error: code = Internal desc = unable to resolve git revision : "
            "failed to list refs: dial tcp 127.0.0.1:19418: connect: connection refused"
        ),
        "Argo CD cannot read the rendered branch: dial tcp 127.0.0.1:19418: connect: connection refused",
    ),
    (
        (
            'Apply failed with 1 conflict: conflict with "kubectl-edit" using serving.kserve.io/v1beta1: '
            ".spec.predictor.maxReplicas"
        ),
        "another manager, kubectl-edit, holds fields that are rendered: .spec.predictor.maxReplicas",
    ),
    ("something new", "something new"),
]


@pytest.mark.parametrize(("said", "plain"), SAID)
def test_what_is_known_is_said_plainly(said: str, plain: str) -> None:
    assert in_plain_words(said) == plain


def test_tries_of_one_failure_say_the_same() -> None:
    tries = {f"it failed. Retrying attempt #{number} at 2026-11-24T18:46:0{number}Z." for number in range(1, 5)}
    assert {in_plain_words(each) for each in tries} == {"it failed"}
