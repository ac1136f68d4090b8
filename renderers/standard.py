"""A deployment on KServe's Standard mode: an InferenceService a version, and routes of our own over them.

`spec.canary[]` of 0.20 moves no traffic, so every strategy is these manifests with other numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from intents.kinds.rollout import LiveVersion
from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.disruption import disruption_budgets, predictor_pods, router_pods
from renderers.gateway import Destination, Routing, http_routes, mirror_to, services
from renderers.inference_graph import PATH, graph_name, inference_graph
from renderers.kserve import inference_service, predictor, versioned
from renderers.live import LiveDeployment
from renderers.surge import Decision, decisions
from renderers.traffic import mirror, preferences


def render_standard(tree: Tree, live: LiveDeployment) -> Iterator[Manifest]:
    """Yield a deployment's manifests."""
    strategies = decisions(tree, live)
    for version in live.versions:
        yield from _version(live, version, strategies[version.name])
    if _has_graph(live):
        name = graph_name(live)
        yield inference_graph(live)
        yield from disruption_budgets(live, name, router_pods(name), live.most_replicas)
    yield from http_routes(live, _routing(live))


def _version(live: LiveDeployment, version: LiveVersion, decision: Decision) -> Iterator[Manifest]:
    name = versioned(live.name, version.name)
    yield inference_service(live, name, version, {"deploymentStrategy": decision.strategy.manifest()})
    yield from disruption_budgets(live, name, predictor_pods(name), version.replicas.max)


def _has_graph(live: LiveDeployment) -> bool:
    """Whether the graph stands: before traffic is divided, so that its router answers when it is."""
    return live.divided_by_graph and len(live.versions) > 1


def _routing(live: LiveDeployment) -> Routing:
    spec, rollout = live.target.spec, live.rollout.spec
    weighted = Destination(services(*((_service(live, each.name), each.weight) for each in live.versions)))
    copies = mirror(spec, rollout)
    return Routing(
        inference=_splitter(live) or weighted,
        other=weighted,
        preferred=tuple(
            (each, Destination(services((_service(live, each.version), 1)))) for each in preferences(spec, rollout)
        ),
        mirror=mirror_to(_service(live, copies.version), copies.percent) if copies else None,
    )


def _splitter(live: LiveDeployment) -> Destination | None:
    """Return the graph's router while there is traffic to divide."""
    divided = sum(each.weight > 0 for each in live.versions) > 1
    return Destination(services((graph_name(live), 1)), path=PATH) if divided and live.divided_by_graph else None


def _service(live: LiveDeployment, version: str) -> str:
    return predictor(versioned(live.name, version))
