"""Cluster → the policy that makes a run exactly one Workflow.

KFP's API server creates a run's Workflow first and its row second, so a repeated or raced submission leaves two
Workflows under one run id, and asking it cannot rule that out. This policy names each Workflow after its run id: the
second is refused by Kubernetes itself, as its name is taken. It needs Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.site import site_of
from renderers.unit import Unit

API_VERSION = "admissionregistration.k8s.io/v1"
NAME = "ordain-one-workflow-a-run"
RUN_ID_LABEL = "pipeline/runid"
"""By which KFP's API server marks a run's Workflow."""


def workflow_name(run_id: str) -> str:
    """Return the name of the Workflow of a run of KFP."""
    return f"run-{run_id}"


def render_workflow_names(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the policy and its binding; none where no KFP is."""
    if site_of(tree, unit).kubernetes is None:
        return
    yield _policy()
    yield {
        "apiVersion": API_VERSION,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME},
    }


def _policy() -> Manifest:
    labels = "object.metadata.labels"
    return {
        "apiVersion": API_VERSION,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            # A Workflow that could not be named could be a second one.
            "failurePolicy": "Fail",
            "matchConditions": [
                {
                    "name": "of-a-run-and-unnamed",
                    "expression": (
                        f"has({labels}) && '{RUN_ID_LABEL}' in {labels}"
                        " && (!has(object.metadata.name) || object.metadata.name == '')"
                    ),
                }
            ],
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [
                    {
                        "apiGroups": ["argoproj.io"],
                        "apiVersions": ["*"],
                        "operations": ["CREATE"],
                        "resources": ["workflows"],
                        "scope": "Namespaced",
                    }
                ],
            },
            "mutations": [
                {
                    "patchType": "JSONPatch",
                    "jsonPatch": {
                        "expression": (
                            '[JSONPatch{op: "add", path: "/metadata/name",'
                            f" value: \"{workflow_name('')}\" + {labels}['{RUN_ID_LABEL}']}}]"
                        )
                    },
                }
            ],
            "reinvocationPolicy": "Never",
        },
    }
