"""Objects as a real cluster had them, reduced: Argo CD 3.6.1, KServe 0.20, Kubernetes 1.36."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.planning.cluster_objects import (
    REFRESH,
    Heal,
    Refusal,
    application_of,
    application_set_of,
    inference_service_of,
    pod_trouble_of,
    predictor_deployment_of,
    route_of,
)

COMMIT, OTHER = "43f7a268566e67b7f66c4bab233d504037d055ab", "abe1997dce616a2ec2f8677018e58469a87e34ab"
FENCE = "namespace globex--churn is not permitted in project 'local-acme'"


def application(operation: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "local-acme--fraud", "namespace": "argocd", "annotations": {}},
        "spec": {"source": {"path": "acme/fraud"}},
        "status": {"operationState": operation, **status},
    }


def test_a_fence_shows_while_the_sync_runs_on() -> None:
    refused = {"kind": "InferenceService", "namespace": "globex--churn", "name": "evil", "message": FENCE}
    failed = {
        **refused,
        "group": "serving.kserve.io",
        "status": "SyncFailed",
        "syncPhase": "Sync",
        "version": "v1beta1",
    }
    operation = {"phase": "Running", "message": "not valid", "syncResult": {"revision": COMMIT, "resources": [failed]}}
    found = application_of(application(operation, sync={"status": "OutOfSync", "revision": OTHER}))
    assert (found.synced, found.phase, found.compared) == (COMMIT, "Running", "")
    assert found.refused == (Refusal("InferenceService", "globex--churn", "evil", FENCE),)


def test_an_object_that_fails_to_apply_is_a_refusal() -> None:
    failed = {"kind": "HTTPRoute", "namespace": "a", "name": "b", "status": "SyncFailed", "hookPhase": "Failed"}
    fine = {"kind": "HTTPRoute", "namespace": "a", "name": "c", "status": "Synced", "hookPhase": "Running"}
    found = application_of(application({"syncResult": {"revision": COMMIT, "resources": [failed, fine]}}))
    assert [each.name for each in found.refused] == ["b"]


def test_a_ref_is_no_commit() -> None:
    """Argo CD says so where it has not read the repository, or has only begun."""
    ref = "refs/heads/rendered/local"
    operation = {"phase": "Running", "syncResult": {"revision": ref}}
    found = application_of(application(operation, sync={"status": "Synced", "revision": ref}))
    assert (found.synced, found.compared) == ("", "")


def test_what_was_healed_is_named() -> None:
    sync = {"autoHealAttemptsCount": 1, "resources": [{"kind": "InferenceService", "name": "scoring-v1"}]}
    operation = {"phase": "Succeeded", "operation": {"sync": sync}, "finishedAt": "2026-11-24T18:46:31Z"}
    found = application_of(application(operation))
    assert found.heal == Heal(frozenset({("InferenceService", "scoring-v1")}), "2026-11-24T18:46:31Z")
    assert application_of(application({"phase": "Succeeded", "operation": {"sync": {"prune": True}}})).heal is None


def test_an_application_that_nobody_has_looked_at_is_read() -> None:
    bare = application({})
    del bare["status"]
    bare["metadata"]["annotations"] = {REFRESH: "normal"}
    found = application_of(bare)
    assert (found.is_asked, found.is_going, found.synced, found.errors) == (True, False, "", ())


def test_why_no_application_is_made_is_the_sets_to_say() -> None:
    failed = {"type": "ErrorOccurred", "status": "True", "message": "connection refused"}
    raw = {"metadata": {"name": "local-tenants"}, "status": {"conditions": [failed]}}
    assert application_set_of(raw).error == "connection refused"
    fine = {"metadata": {"name": "local-tenants"}, "status": {"conditions": [{**failed, "status": "False"}]}}
    assert application_set_of(fine).error == ""


def service(**status: Any) -> dict[str, Any]:
    model = {"storageUri": "s3://models/1/"}
    return {"metadata": {"name": "s", "namespace": "n"}, "spec": {"predictor": {"model": model}}, "status": status}


def test_what_kserve_waits_for_and_what_it_has_given_up() -> None:
    webhook = 'admission webhook "pod-mutator" denied the request: secrets "ordain-object-store" not found'
    waits = {"type": "PredictorReady", "status": "False", "reason": "FailedCreate", "message": webhook}
    found = inference_service_of(service(conditions=[waits]))
    assert (found.trouble, found.is_lost) == (webhook, False)
    failure = {"reason": "ModelLoadFailed", "message": "no such model"}
    lost = inference_service_of(
        service(modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure})
    )
    assert (lost.trouble, lost.is_lost) == ("no such model", True)
    fine = inference_service_of(service(conditions=[{"type": "PredictorReady", "status": "True", "message": "well"}]))
    assert (fine.trouble, fine.uri) == ("", "s3://models/1/")


def test_a_deployments_numbers_are_of_its_newest_spec_or_they_are_not() -> None:
    raw: dict[str, Any] = {
        "metadata": {"name": "s-predictor", "namespace": "n", "generation": 2},
        "spec": {"template": {"metadata": {}, "spec": {"containers": []}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
    }
    assert not predictor_deployment_of(raw).is_observed
    raw["status"]["observedGeneration"] = 2
    found = predictor_deployment_of(raw)
    assert (found.is_observed, found.pods, found.updated, found.available) == (True, 2, 1, 2)


@pytest.mark.parametrize(
    ("status", "reason", "lost"),
    [
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]},
            "Pending: 0/1 nodes are available",
            False,
        ),
        (
            {"containerStatuses": [{"name": "k", "state": {"waiting": {"reason": "ErrImagePull", "message": "m"}}}]},
            "k: ErrImagePull: m",
            True,
        ),
        (
            {
                "initContainerStatuses": [
                    {
                        "name": "storage-initializer",
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                        "lastState": {"terminated": {"message": "no such bucket\n"}},
                    }
                ]
            },
            "storage-initializer: CrashLoopBackOff: no such bucket",
            True,
        ),
    ],
    ids=["no-node", "no-image", "no-model"],
)
def test_what_keeps_a_pod_from_serving(status: dict[str, Any], reason: str, lost: bool) -> None:
    raw = {"metadata": {"name": "p", "namespace": "n"}, "status": status}
    found = pod_trouble_of(raw)
    assert found is not None
    assert (found.reason, found.is_lost) == (reason, lost)


def test_a_pod_on_its_way_or_going_is_in_no_trouble() -> None:
    creating = {"containerStatuses": [{"name": "k", "state": {"waiting": {"reason": "ContainerCreating"}}}]}
    assert pod_trouble_of({"metadata": {"name": "p", "namespace": "n"}, "status": creating}) is None
    unscheduled = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "m"}]}
    going = {"name": "p", "namespace": "n", "deletionTimestamp": "2026-11-24T18:46:31Z"}
    assert pod_trouble_of({"metadata": going, "status": unscheduled}) is None


def route(generation: int, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": "r", "namespace": "n", "generation": generation},
        "spec": {"parentRefs": [{"name": "ordain"}], "rules": []},
        "status": {"parents": [{"conditions": list(conditions)}]},
    }


def test_a_route_is_taken_by_its_newest_spec_only() -> None:
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": 1}
    assert route_of(route(1, accepted)).is_accepted
    assert not route_of(route(2, accepted)).is_accepted
    unresolved = {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "observedGeneration": 1}
    found = route_of(route(1, accepted, unresolved))
    assert (found.is_accepted, found.trouble) == (False, "BackendNotFound")
