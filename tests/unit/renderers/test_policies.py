"""One table of objects, and one verdict on each: by Python, by Kubernetes and by Kyverno."""

from __future__ import annotations

from typing import Any

import pytest

from intents.kinds.platform import Enforcement, PolicyRule
from renderers import marks
from renderers.policies.engines import kyverno_policies, validating_policies
from renderers.policies.rules import gpu_labels, rules
from renderers.policies.verdicts import verdicts
from tests.fixtures.admission import ARGO_CD, CONTROLLER, Answer, Request, admit
from tests.fixtures.policy_objects import (
    ALLOWED,
    NAMESPACE,
    NOT_ALLOWED,
    Case,
    carrying,
    cases,
    inference_service,
    pod_spec,
    settings,
)

PLATFORM, ON, TENANT = settings()
LABELS = {marks.TENANT: "acme", **gpu_labels(TENANT)}
ENGINES = {
    "ValidatingAdmissionPolicy": list(validating_policies(PLATFORM, ON)),
    "Kyverno": list(kyverno_policies(PLATFORM, ON)),
}
NAMES = {
    PolicyRule.IMAGE_ALLOWLIST: "ordain-image-allowlist",
    PolicyRule.NO_PRIVILEGED: "ordain-no-privileged",
    PolicyRule.NO_HOST_PATH: "ordain-no-host-path",
    PolicyRule.NO_HOST_NETWORK: "ordain-no-host-network",
    PolicyRule.RUN_AS_NON_ROOT: "ordain-run-as-non-root",
    PolicyRule.RESOURCE_LIMITS: "ordain-resource-limits",
    PolicyRule.ALLOWED_KINDS: "ordain-allowed-kinds",
    PolicyRule.GPU_TYPES: "ordain-gpu-types",
}
CASES = [pytest.param(case, id=case.name) for case in cases()]


def named(broken: frozenset[PolicyRule]) -> frozenset[str]:
    return frozenset(NAMES[rule] for rule in broken)


def judged(manifest: dict[str, Any]) -> frozenset[PolicyRule]:
    found = verdicts([manifest], PLATFORM, ON, TENANT)
    return frozenset(verdict.rule for verdict in found) - {PolicyRule.ALLOWED_KINDS}


@pytest.mark.parametrize("case", CASES)
def test_python_gives_the_verdict(case: Case) -> None:
    assert judged(case.object) == case.breaks


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_an_engine_gives_the_same_verdict(engine: str, case: Case) -> None:
    assert admit(ENGINES[engine], Request(case.object, LABELS)) == Answer(denied=named(case.breaks))


@pytest.mark.parametrize(("version", "kind"), [*ALLOWED, *NOT_ALLOWED])
def test_a_kind_is_allowed_or_not_by_all_three(version: str, kind: str) -> None:
    manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": "one", "namespace": NAMESPACE}, "spec": {}}
    refused = (version, kind) in NOT_ALLOWED
    assert (PolicyRule.ALLOWED_KINDS in {each.rule for each in verdicts([manifest], PLATFORM, ON, TENANT)}) is refused
    for policies in ENGINES.values():
        for account in (ARGO_CD, f"system:serviceaccount:{NAMESPACE}:ordain-runs"):
            answer = admit(policies, Request(manifest, LABELS, account))
            assert (NAMES[PolicyRule.ALLOWED_KINDS] in answer.denied) is refused


@pytest.mark.parametrize("engine", ENGINES)
def test_controllers_make_what_tenants_may_not_bring(engine: str) -> None:
    assert admit(ENGINES[engine], Request(carrying("DaemonSet", pod_spec()), LABELS, CONTROLLER)) == Answer()


@pytest.mark.parametrize("engine", ENGINES)
def test_namespaces_of_the_platform_are_left_alone(engine: str) -> None:
    bad = carrying("DaemonSet", pod_spec(hostNetwork=True))
    bad["metadata"]["namespace"] = "kube-system"
    assert admit(ENGINES[engine], Request(bad, {}, ARGO_CD)) == Answer()
    assert verdicts([bad], PLATFORM, ON, TENANT) == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_object_from_before_a_rule_can_be_ended_but_not_changed(engine: str) -> None:
    bad = carrying("Pod", pod_spec(hostNetwork=True))
    ending = {**bad, "metadata": {**bad["metadata"], "finalizers": []}}
    assert admit(ENGINES[engine], Request(ending, LABELS, operation="UPDATE", old=bad)) == Answer()
    changed = carrying("Pod", pod_spec(hostNetwork=True, priority=1))
    answer = admit(ENGINES[engine], Request(changed, LABELS, operation="UPDATE", old=bad))
    assert answer.denied == {NAMES[PolicyRule.NO_HOST_NETWORK]}


@pytest.mark.parametrize("engine", ENGINES)
def test_debugging_containers_come_by_a_subresource(engine: str) -> None:
    before = carrying("Pod", pod_spec())
    after = carrying("Pod", pod_spec(ephemeralContainers=[{"name": "d", "image": "busybox"}]))
    request = Request(after, LABELS, operation="UPDATE", old=before, subresource="ephemeralcontainers")
    assert admit(ENGINES[engine], request).denied == {NAMES[PolicyRule.IMAGE_ALLOWLIST]}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tenant_without_gpus_may_use_none(engine: str) -> None:
    spec = pod_spec(nodeSelector={"cloud.example.com/gpu": "l4"})
    spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "1"
    asking = carrying("Pod", spec)
    other = {marks.TENANT: "globex"}
    assert admit(ENGINES[engine], Request(asking, LABELS)) == Answer()
    assert admit(ENGINES[engine], Request(asking, other)).denied == {NAMES[PolicyRule.GPU_TYPES]}


@pytest.mark.parametrize("rule", PolicyRule)
def test_an_audited_rule_tells_and_refuses_nothing(rule: PolicyRule) -> None:
    platform, on, tenant = settings({rule.value: "audit"})
    everything = next(case for case in cases() if case.name.endswith("everything at once")).object
    found = {each.rule: each for each in verdicts([everything], platform, on, tenant)}
    assert found.keys() == set(PolicyRule)
    assert {each.rule for each in found.values() if not each.refused} == {rule}
    for policies in (validating_policies(platform, on), kyverno_policies(platform, on)):
        answer = admit(policies, Request(everything, LABELS, ARGO_CD))
        assert answer == Answer(named(frozenset(PolicyRule) - {rule}), named(frozenset({rule})))


def test_what_a_platform_or_cluster_does_not_have_is_no_rule() -> None:
    bare = ON.model_copy(update={"gpu_pools": ()})
    held = {rule.name for rule in rules(PLATFORM.model_copy(update={"images": None}), bare)}
    assert held == set(PolicyRule) - {PolicyRule.IMAGE_ALLOWLIST, PolicyRule.GPU_TYPES}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "broken",
    [
        {"template": {}},
        {"template": {"spec": {"containers": "none"}}},
        {"template": {"spec": pod_spec(containers=[{"name": "a", "image": 1}])}},
    ],
)
def test_what_cannot_be_judged_is_refused(engine: str, broken: dict[str, Any]) -> None:
    manifest = {**carrying("Deployment", pod_spec()), "spec": broken}
    refused = judged(manifest)
    assert PolicyRule.IMAGE_ALLOWLIST in refused
    assert admit(ENGINES[engine], Request(manifest, LABELS)).denied == named(refused)


def test_a_verdict_names_object_and_image() -> None:
    bad = inference_service(predictor={"model": {"image": "evil/x:1"}})
    (found,) = verdicts([bad], PLATFORM, ON, TENANT)
    assert found.refused
    assert found.enforcement is Enforcement.ENFORCE
    said = (
        "InferenceService acme--fraud/one: imageAllowlist: an image is not one of the platform's images.allow: evil/x:1"
    )
    assert str(found) == said
