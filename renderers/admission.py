"""Cluster → what its API server does to objects on their way in: MutatingAdmissionPolicies, of Kubernetes 1.36.

**One Workflow a run.** KFP's API server creates a run's Workflow first and its row second, so a repeated or raced
submission leaves two Workflows under one run id, and asking it cannot rule that out. The policy names each Workflow
after its run id: the second is refused by Kubernetes itself, as its name is taken.

**Seccomp for pods that say nothing of it.** KServe 0.20 makes the routers of InferenceGraphs so, and nothing in a graph
can say it for them; Pod Security's level `restricted` refuses such pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.site import site_of
from renderers.unit import Unit

API_VERSION = "admissionregistration.k8s.io/v1"
ONE_WORKFLOW = "ordain-one-workflow-a-run"
DEFAULT_SECCOMP = "ordain-default-seccomp"
RUN_ID_LABEL = "pipeline/runid"
"""By which KFP's API server marks a run's Workflow."""


def workflow_name(run_id: str) -> str:
    """Return the name of the Workflow of a run of KFP."""
    return f"run-{run_id}"


def render_workflow_names(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the policy that names Workflows, and its binding; none where no KFP is."""
    if site_of(tree, unit).kubernetes is None:
        return
    labels = "object.metadata.labels"
    unnamed = "(!has(object.metadata.name) || object.metadata.name == '')"
    condition = f"has({labels}) && '{RUN_ID_LABEL}' in {labels} && {unnamed}"
    name = f"\"{workflow_name('')}\" + {labels}['{RUN_ID_LABEL}']"
    patch = f'[JSONPatch{{op: "add", path: "/metadata/name", value: {name}}}]'
    yield from _policy(ONE_WORKFLOW, ("argoproj.io", "workflows"), {}, ("of-a-run-and-unnamed", condition), patch)


def render_default_seccomp(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the policy that gives tenants' pods a seccomp profile, and its binding."""
    if site_of(tree, unit).kubernetes is None:
        return
    context = "object.spec.securityContext"
    profile = 'Object.spec.securityContext.seccompProfile{type: "RuntimeDefault"}'
    # The API server gives every pod a securityContext before it asks.
    patch = f'[JSONPatch{{op: "add", path: "/spec/securityContext/seccompProfile", value: {profile}}}]'
    tenants = {"matchExpressions": [{"key": marks.TENANT, "operator": "Exists"}]}
    condition = ("says-nothing-of-it", f"!has({context}.seccompProfile)")
    yield from _policy(DEFAULT_SECCOMP, ("", "pods"), tenants, condition, patch)


def _policy(
    name: str, resources: tuple[str, str], namespaces: Manifest, condition: tuple[str, str], patch: str
) -> Iterator[Manifest]:
    """Yield a policy for the creation of `resources`, an API group and its objects' plural, and its binding."""
    group, plural = resources
    condition_name, expression = condition
    created = {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": [plural],
        "scope": "Namespaced",
    }
    spec = {
        # A Workflow that could not be named could be a second one; a pod without a profile is refused anyway.
        "failurePolicy": "Fail",
        "matchConditions": [{"name": condition_name, "expression": expression}],
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": namespaces,
            "objectSelector": {},
            "resourceRules": [created],
        },
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        "reinvocationPolicy": "Never",
    }
    yield _object("MutatingAdmissionPolicy", name, spec)
    yield _object("MutatingAdmissionPolicyBinding", name, {"policyName": name})


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
