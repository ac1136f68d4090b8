"""ModelDeployment and Rollout → all manifests that serve a deployment."""

from __future__ import annotations

from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.gateway import render_route
from renderers.kserve import inference_service
from renderers.unit import Unit


def render_deployment(tree: Tree, unit: Unit) -> list[Manifest]:
    """Return a deployment's manifests; none before its Rollout."""
    tenant, project, deployment = unit.tenant, unit.project, unit.name
    target, rollout = tree.deployment(tenant, project, deployment), tree.rollout(tenant, project, deployment)
    if target is None or rollout is None:
        return []
    manifests = [inference_service(tenant, project, deployment, each) for each in rollout.spec.live]
    manifests.append(render_route(tree, target, rollout))
    return manifests
