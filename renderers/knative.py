"""A deployment on KServe's Knative mode: one InferenceService whose versions are revisions, or a graph of several.

The manifest shows the newest version, the last of `live`, with its weight as `canaryTrafficPercent`; the rest goes to
the revision that had all traffic before. Blue/green is 0 and then 100 across two Rollouts. Three rules for whoever
writes Rollouts follow (0.20, reconcilers/knative/ksvc_reconciler.go):

- At most one version beside the last has a weight.
- After the last had 100, the way back is a new last: the old version, started again.
- A version that was rolled back stays in `live` at 0 until the next one: without it the old version's template would
  be a new revision, and Knative sends traffic for the newest revision to the newest *ready* one until it answers.

Knative's Services are ExternalNames, which Envoy Gateway does not route to: each is reached by a Backend of its name
and by its host.
"""

from __future__ import annotations

from collections.abc import Iterator

from renderers.canonical import Manifest
from renderers.disruption import disruption_budgets, predictor_pods, router_pods
from renderers.gateway import PREDICTOR_PORT, Destination, Routing, backend, http_routes
from renderers.inference_graph import PATH, graph_name, inference_graph
from renderers.kserve import inference_service, local_host, predictor, versioned
from renderers.live import LiveDeployment
from renderers.site import ENVOY_GATEWAY
from renderers.traffic import preferences


def render_knative(live: LiveDeployment) -> Iterator[Manifest]:
    """Yield a deployment's manifests."""
    yield from _graph_of_services(live) if live.divided_by_graph else _revisions(live)


def _revisions(live: LiveDeployment) -> Iterator[Manifest]:
    newest, service = live.versions[-1], predictor(live.name)
    share = {"canaryTrafficPercent": newest.weight} if len(live.versions) > 1 else {}
    yield inference_service(live, live.name, newest, share)
    yield from disruption_budgets(live, live.name, predictor_pods(live.name), live.most_replicas)
    yield _backend(live, service)
    everything = _at(live, service)
    yield from http_routes(live, Routing(inference=everything, other=everything))


def _graph_of_services(live: LiveDeployment) -> Iterator[Manifest]:
    for version in live.versions:
        name = versioned(live.name, version.name)
        yield inference_service(live, name, version)
        yield from disruption_budgets(live, name, predictor_pods(name), version.replicas.max)
        yield _backend(live, predictor(name))
    if len(live.versions) > 1:
        name = graph_name(live)
        yield inference_graph(live)
        yield from disruption_budgets(live, name, router_pods(name), live.most_replicas)
        yield _backend(live, name)
    yield from http_routes(live, _graph_routing(live))


def _graph_routing(live: LiveDeployment) -> Routing:
    """Return the routing over the graph's router, and past it where there is nothing to divide."""
    first = _of_version(live, max(live.versions, key=lambda each: each.weight).name)
    divided = sum(each.weight > 0 for each in live.versions) > 1
    return Routing(
        inference=_at(live, graph_name(live), PATH) if divided else first,
        other=first,
        preferred=tuple(
            (each, _of_version(live, each.version)) for each in preferences(live.target.spec, live.rollout.spec)
        ),
    )


def _of_version(live: LiveDeployment, version: str) -> Destination:
    return _at(live, predictor(versioned(live.name, version)))


def _at(live: LiveDeployment, service: str, path: str = "") -> Destination:
    return Destination(backend(service), local_host(live, service), path)


def _backend(live: LiveDeployment, service: str) -> Manifest:
    endpoint = {"fqdn": {"hostname": local_host(live, service), "port": PREDICTOR_PORT}}
    return {
        "apiVersion": f"{ENVOY_GATEWAY}/v1alpha1",
        "kind": "Backend",
        "metadata": {"name": service, "namespace": live.namespace, "labels": live.labels},
        "spec": {"type": "Endpoints", "endpoints": [endpoint]},
    }
