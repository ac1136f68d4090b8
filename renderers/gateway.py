"""ModelDeployment and Rollout → one HTTPRoute: the allowed V2 paths, weighted over the live versions."""

from __future__ import annotations

from intents.documents import Document
from intents.identity import namespace
from intents.kinds import ModelDeploymentSpec, RolloutSpec
from intents.kinds.rollout import LiveVersion
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest

GATEWAY = {
    "group": "gateway.networking.k8s.io",
    "kind": "Gateway",
    "name": "ordain",
    "namespace": "ordain-system",
}
PREDICTOR_PORT = 80


def v2_paths(model: str) -> tuple[str, ...]:
    """Return the V2 inference protocol's paths that are open; others can load code or show others' data."""
    return (
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        f"/v2/models/{model}",
        f"/v2/models/{model}/ready",
        f"/v2/models/{model}/infer",
    )


def public_prefix(project: str, deployment: str) -> str:
    """Return the path on the tenant's host under which a deployment's V2 paths lie."""
    return f"/serve/{project}/{deployment}"


def render_route(tree: Tree, target: Document[ModelDeploymentSpec], rollout: Document[RolloutSpec]) -> Manifest:
    """Return the HTTPRoute of a deployment, with every default that the API server would add."""
    tenant, project, name = target.identity.tenant, target.identity.project, target.identity.name
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": name,
            "namespace": namespace(tenant, project),
            "labels": {marks.TENANT: tenant, marks.PROJECT: project, marks.DEPLOYMENT: name},
            "annotations": {
                marks.MODEL: rollout.spec.live[0].model_name,
                marks.INTENT_BLOB: target.blob,
                marks.ROLLOUT_BLOB: rollout.blob,
            },
        },
        "spec": {
            "hostnames": _hostnames(tree, tenant),
            "parentRefs": [dict(GATEWAY)],
            "rules": [_rule(target, rollout, path) for path in v2_paths(rollout.spec.live[0].model_name)],
        },
    }


def _hostnames(tree: Tree, tenant: str) -> list[str]:
    document = tree.tenant(tenant)
    labels = document.spec.hostnames if document else ()
    return [f"{label}.{tree.platform.base_domain}" for label in labels]


def _rule(target: Document[ModelDeploymentSpec], rollout: Document[RolloutSpec], path: str) -> Manifest:
    tenant, project, name = target.identity.tenant, target.identity.project, target.identity.name
    return {
        "matches": [{"path": {"type": "Exact", "value": f"{public_prefix(project, name)}{path}"}}],
        "filters": [
            # set, never add: a value the client sent must not survive beside ours.
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {
                    "set": [
                        {"name": "X-Tenant-Id", "value": tenant},
                        {"name": "X-Project-Id", "value": project},
                    ],
                },
            },
            {
                "type": "URLRewrite",
                "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": path}},
            },
        ],
        "backendRefs": [_backend(name, version) for version in rollout.spec.live],
        "timeouts": {"request": target.spec.endpoint.timeout},
    }


def _backend(deployment: str, version: LiveVersion) -> Manifest:
    return {
        "group": "",
        "kind": "Service",
        "name": f"{deployment}-{version.name}-predictor",
        "port": PREDICTOR_PORT,
        "weight": version.weight,
    }
