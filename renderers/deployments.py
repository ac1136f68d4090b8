"""ModelDeployment and Rollout → all manifests that serve a deployment."""

from __future__ import annotations

from collections.abc import Iterable

from intents.kinds.cluster import KServeMode
from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.knative import render_knative
from renderers.live import live_deployment
from renderers.standard import render_standard
from renderers.unit import Unit


def render_deployment(tree: Tree, unit: Unit) -> Iterable[Manifest]:
    """Return a deployment's manifests; none before its Rollout. Raises InvalidIntent for what checks refuse."""
    live = live_deployment(tree, unit)
    if live is None:
        return ()
    knative = live.cluster.kserve.mode is KServeMode.KNATIVE
    return render_knative(live) if knative else render_standard(tree, live)
