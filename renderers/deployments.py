"""ModelDeployment and Rollout → all manifests that serve a deployment."""

from __future__ import annotations

from intents.tree import Tree
from renderers.canonical import Manifest, path_of
from renderers.gateway import render_route
from renderers.kserve import inference_service


def render_deployment(tree: Tree, tenant: str, project: str, deployment: str) -> dict[str, Manifest]:
    """Return a deployment's manifests by their path on the rendered branch; none before its Rollout."""
    target, rollout = tree.deployment(tenant, project, deployment), tree.rollout(tenant, project, deployment)
    if target is None or rollout is None:
        return {}
    manifests = [inference_service(tenant, project, deployment, each) for each in rollout.spec.live]
    manifests.append(render_route(tree, target, rollout))
    return {path_of(tenant, project, manifest): manifest for manifest in manifests}
