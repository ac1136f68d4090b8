"""Project → NetworkPolicies: nothing in or out, but what is named here.

Policies add up, so each allows one thing. What may come in is decided in the namespace it comes to: no policy of
one project can open another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from intents.kinds.cluster import KServeMode, PlatformEgress
from intents.kinds.network import METADATA_ADDRESSES, Egress, IpNetwork, network_of
from intents.tree import Tree
from renderers import marks
from renderers.canonical import Manifest
from renderers.serving_runtime import HTTP_PORT
from renderers.site import EDGE_NAMESPACE, GATEWAY, Site, in_project, site_of, tenant_of
from renderers.unit import Unit

KNATIVE_NAMESPACE = "knative-serving"
KNATIVE_PORTS = (8012, 8013, 8022, 9090)
"""Of Knative's queue proxy: HTTP/1, HTTP/2, its readiness, and the numbers the autoscaler reads."""
KFP_PORTS = (8080, 8887, 8888)
"""Of the metadata store, and of KFP's API by gRPC and HTTP."""

_DNS_PORTS = ({"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"})
# Argo Workflows labels the pods of a Workflow, JobSet those of a TrainJob.
_RUN = "workflows.argoproj.io/workflow"
_TRAINING = "jobset.sigs.k8s.io/jobset-name"


def render_network(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the NetworkPolicies of a project."""
    site, tenant = site_of(tree, unit), tenant_of(tree, unit)
    yield _policy(unit, "default-deny", {}, ingress=None, egress=None)
    yield _policy(unit, "egress", {}, egress=_egress(site.egress, tenant.egress))
    yield _policy(unit, "serving", _labelled(marks.DEPLOYMENT), ingress=_to_servers(site), egress=_between_servers())
    yield _policy(unit, "runs", _labelled(_RUN), egress=[_to_pods(_namespace(site.kfp_namespace), KFP_PORTS)])
    yield _policy(unit, "training", _labelled(_TRAINING), ingress=[_peers("from")], egress=[_peers("to")])


def _policy(unit: Unit, name: str, selector: Manifest, **rules: Sequence[Manifest] | None) -> Manifest:
    """Return a policy of the directions named in `rules`; None allows nothing that way."""
    allowed = {way: list(each) for way, each in rules.items() if each is not None}
    spec = {"podSelector": selector, "policyTypes": [way.capitalize() for way in rules], **allowed}
    return in_project(unit, "networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def _egress(platforms: Sequence[PlatformEgress], tenants: Sequence[Egress]) -> list[Manifest]:
    """Return where all pods of a project may connect to."""
    declared = (_declared(each) for each in platforms)
    return [_dns(), *declared, *(_to_network(each.to, each.ports) for each in tenants)]


def _dns() -> Manifest:
    peer = {**_namespace("kube-system"), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    return {"to": [peer], "ports": [dict(port) for port in _DNS_PORTS]}


def _declared(egress: PlatformEgress) -> Manifest:
    if egress.to is not None:
        return _to_network(egress.to, egress.ports)
    return _to_pods(_namespace(egress.namespace or ""), egress.ports)


def _to_network(cidr: str, ports: Sequence[int]) -> Manifest:
    network, holes = without_metadata(cidr)
    cut_out = {"except": list(holes)} if holes else {}
    return {"to": [{"ipBlock": {"cidr": network, **cut_out}}], "ports": _tcp(ports)}


@lru_cache(maxsize=4096)
def without_metadata(cidr: str) -> tuple[str, tuple[str, ...]]:
    """Return a network and what is cut out of it; something is always left, as no intent names the address alone."""
    network = network_of(cidr)
    return str(network), tuple(str(each) for each in METADATA_ADDRESSES if _contains(network, each))


def _contains(network: IpNetwork, address: IpNetwork) -> bool:
    return network.version == address.version and address.network_address in network


def _to_servers(site: Site) -> list[Manifest]:
    """Return who may connect to model servers: the edge, and splitters of the same project."""
    edge = {
        **_namespace(site.gateway.namespace),
        "podSelector": {
            "matchLabels": {
                "gateway.envoyproxy.io/owning-gateway-name": GATEWAY,
                "gateway.envoyproxy.io/owning-gateway-namespace": EDGE_NAMESPACE,
            }
        },
    }
    rules: list[Manifest] = [
        {"from": [edge, {"podSelector": _labelled(marks.DEPLOYMENT)}], "ports": _tcp((HTTP_PORT,))}
    ]
    if site.spec.kserve.mode is KServeMode.KNATIVE:
        knative = [_namespace(each) for each in (KNATIVE_NAMESPACE, site.spec.kserve.ingress_namespace)]
        rules.append({"from": knative, "ports": _tcp(KNATIVE_PORTS)})
    return rules


def _between_servers() -> list[Manifest]:
    return [{"to": [{"podSelector": _labelled(marks.DEPLOYMENT)}], "ports": _tcp((HTTP_PORT,))}]


def _peers(way: str) -> Manifest:
    """Return the rule by which the nodes of a training job reach each other, on ports of their own choosing."""
    return {way: [{"podSelector": _labelled(_TRAINING)}]}


def _to_pods(peer: Manifest, ports: Sequence[int]) -> Manifest:
    return {"to": [peer], "ports": _tcp(ports)}


def _namespace(name: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _labelled(key: str) -> Manifest:
    return {"matchExpressions": [{"key": key, "operator": "Exists"}]}


def _tcp(ports: Sequence[int]) -> list[Manifest]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
