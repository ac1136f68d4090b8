"""The rules as objects of the two engines that enforce them: one a rule, so that each is audited or enforced alone.

Both take the same CEL, the same matching and the same conditions, in the form the API server stores.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from intents.kinds import ClusterSpec, PlatformSpec
from intents.kinds.cluster import PolicyEngine
from intents.kinds.platform import Enforcement
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.policies.judged import CARRIERS, VARIABLES
from renderers.policies.rules import Rule, rules
from renderers.site import site_of
from renderers.unit import Unit

VALIDATING = "admissionregistration.k8s.io/v1"
KYVERNO = "policies.kyverno.io/v1"

_TENANTS = {"matchExpressions": [{"key": marks.TENANT, "operator": "Exists"}]}
_ACTIONS = {Enforcement.ENFORCE: ["Deny"], Enforcement.AUDIT: ["Audit", "Warn"]}


def render_policies(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the platform's rules for the engine of a cluster; none without Kubernetes."""
    site = site_of(tree, unit)
    if site.kubernetes is None:
        return
    render = {PolicyEngine.VALIDATING_ADMISSION_POLICY: validating_policies, PolicyEngine.KYVERNO: kyverno_policies}
    yield from render[site.kubernetes.policy_engine](tree.platform, site.spec)


def validating_policies(platform: PlatformSpec, cluster: ClusterSpec) -> Iterator[Manifest]:
    """Yield a ValidatingAdmissionPolicy and its binding for each rule."""
    for rule in rules(platform, cluster):
        match = {**_match(rule), "matchPolicy": "Equivalent", "objectSelector": {}}
        spec = {**_spec(rule, cluster), "failurePolicy": "Fail", "matchConstraints": match}
        binding = {"policyName": _name(rule), "validationActions": _ACTIONS[rule.enforcement]}
        yield _object(VALIDATING, "ValidatingAdmissionPolicy", rule, spec)
        yield _object(VALIDATING, "ValidatingAdmissionPolicyBinding", rule, binding)


def kyverno_policies(platform: PlatformSpec, cluster: ClusterSpec) -> Iterator[Manifest]:
    """Yield a ValidatingPolicy of Kyverno for each rule."""
    for rule in rules(platform, cluster):
        # A background scan has no one who asks, and rules about kinds are about who does.
        evaluation = {"admission": {"enabled": True}, "background": {"enabled": rule.pods}}
        spec = {
            **_spec(rule, cluster),
            "failurePolicy": "Fail",
            "matchConstraints": _match(rule),
            "validationActions": _ACTIONS[rule.enforcement],
            "evaluation": evaluation,
        }
        yield _object(KYVERNO, "ValidatingPolicy", rule, spec)


def _object(version: str, kind: str, rule: Rule, spec: Manifest) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": _name(rule)}, "spec": spec}


def _name(rule: Rule) -> str:
    return "ordain-" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", rule.name).lower()


def _spec(rule: Rule, cluster: ClusterSpec) -> Manifest:
    expression = " && ".join(each.expression for each in rule.predicates)
    spec: Manifest = {
        "matchConditions": [_changed() if rule.pods else _asked(cluster)],
        "validations": [{"expression": expression, "message": rule.message, "reason": "Forbidden"}],
    }
    if rule.pods:
        spec["variables"] = [{"name": name, "expression": value} for name, value in VARIABLES]
    return spec


def _changed() -> Manifest:
    """An update that leaves the pods as they are passes: an object from before the rule can still be ended."""
    return {"name": "pods-are-new", "expression": "oldObject == null || object.spec != oldObject.spec"}


def _asked(cluster: ClusterSpec) -> Manifest:
    """Argo CD brings what tenants ask for, their accounts what their pods do; controllers are trusted with the rest."""
    namespace = cluster.kubernetes.argocd.namespace if cluster.kubernetes else ""
    who = "request.userInfo.username"
    accounts = (f"'system:serviceaccount:{namespace}:'", "'system:serviceaccount:' + request.namespace + ':'")
    return {
        "name": "brought-by-a-tenant",
        "expression": " || ".join(f"{who}.startsWith({each})" for each in accounts),
    }


def _match(rule: Rule) -> Manifest:
    carried: dict[str, list[str]] = {}
    for carrier in CARRIERS:
        carried.setdefault(carrier.group, []).extend(carrier.resources)
    everything = [_resources("*", ["*"], ["CREATE"])]
    pods = [_resources(group, resources, ["CREATE", "UPDATE"]) for group, resources in carried.items()]
    return {"namespaceSelector": _TENANTS, "resourceRules": pods if rule.pods else everything}


def _resources(group: str, resources: list[str], operations: list[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": operations,
        "resources": resources,
        "scope": "Namespaced",
    }
