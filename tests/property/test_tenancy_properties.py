"""What holds of the fences whatever the tenants, projects and clusters say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intents.identity import namespace
from intents.kinds import Kind
from intents.kinds.network import METADATA_ADDRESSES
from intents.names import DNS_LABEL_LIMIT
from intents.tree import Tree
from renderers.argocd import TENANT_KINDS
from renderers.rendering import is_there, render_cluster, render_unit, units, units_of
from renderers.unit import Unit, UnitKind, folder_of
from tests.fixtures.network_policies import Pod, lets_in, lets_out, may_connect, may_reach
from tests.fixtures.tenancy import full_specs
from tests.fixtures.trees import CLUSTER, PLATFORM, document, small_specs, tree_of
from tests.property.strategies import DOCUMENTS, name

Manifest = dict[str, Any]

EDGE_POD = {
    "gateway.envoyproxy.io/owning-gateway-name": "ordain",
    "gateway.envoyproxy.io/owning-gateway-namespace": "ordain-system",
}
SERVER, RUN, NODE = (
    {key: "x"} for key in ("ordain.dev/deployment", "workflows.argoproj.io/workflow", "jobset.sigs.k8s.io/jobset-name")
)
POD_LABELS: tuple[dict[str, str], ...] = ({}, SERVER, RUN, NODE, EDGE_POD, {**EDGE_POD, **SERVER, **RUN, **NODE})
PORTS = (53, 80, 443, 8080, 8012, 8887, 29500)
TENANTS = ("acme", "globex")
PROJECTS = ("fraud", "churn")


@st.composite
def fenced_trees(draw: st.DrawFn) -> Tree:
    """Trees of two tenants with two projects each, on a cluster of any sort."""
    specs = {
        PLATFORM: draw(DOCUMENTS[Kind.PLATFORM]),
        CLUSTER: draw(DOCUMENTS[Kind.CLUSTER]),
        **{f"tenants/{each}/tenant.yaml": draw(DOCUMENTS[Kind.TENANT]) for each in TENANTS},
    }
    for tenant, project in product(TENANTS, PROJECTS):
        specs[f"tenants/{tenant}/projects/{project}/project.yaml"] = {
            **draw(DOCUMENTS[Kind.PROJECT]),
            "cluster": "local",
        }
    return tree_of(specs)


any_tree = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def policies_of(tree: Tree) -> list[Manifest]:
    return [each for each in render_cluster(tree, "local").values() if each["kind"] == "NetworkPolicy"]


def pods(tenant: str, project: str) -> list[Pod]:
    return [Pod(namespace(tenant, project), labels) for labels in POD_LABELS]


@any_tree
@given(tree=fenced_trees())
def test_no_pod_reaches_another_project(tree: Tree) -> None:
    """Each end alone stops it."""
    policies = policies_of(tree)
    spaces = list(product(TENANTS, PROJECTS))
    for here, there in ((one, two) for one in spaces for two in spaces if one != two):
        for source, target, port in product(pods(*here), pods(*there), PORTS):
            assert not lets_out(policies, source, target, port), (source, target, port)
            assert not lets_in(policies, source, target, port), (source, target, port)


@any_tree
@given(tree=fenced_trees())
def test_no_pod_reaches_a_metadata_address(tree: Tree) -> None:
    policies = policies_of(tree)
    declared = {
        port["port"] for each in policies for rule in each["spec"].get("egress", ()) for port in rule.get("ports", ())
    }
    for address, pod, port in product(METADATA_ADDRESSES, pods("acme", "fraud"), {80, *declared}):
        assert not may_reach(policies, pod, str(address.network_address), port)


@any_tree
@given(tree=fenced_trees())
def test_no_role_has_a_wildcard_or_a_right_to_grant(tree: Tree) -> None:
    manifests = render_cluster(tree, "local").values()
    assert not [each for each in manifests if each["kind"].startswith("ClusterRole")]
    roles = [each for each in manifests if each["kind"] == "Role"]
    assert roles
    for rule in (rule for each in roles for rule in each["rules"]):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not {"escalate", "bind", "impersonate", "delete", "list"} & set(rule["verbs"])
        assert rule.get("resourceNames") or rule["resources"] != ["secrets"]


@any_tree
@given(tree=fenced_trees())
def test_a_tenants_project_reaches_no_other_tenant(tree: Tree) -> None:
    for tenant in TENANTS:
        for each in render_unit(tree, Unit(UnitKind.TENANT, "local", tenant)).values():
            if each["kind"] == "AppProject":
                spaces = {item["namespace"] for item in each["spec"]["destinations"]}
                assert spaces == {namespace(tenant, project) for project in PROJECTS}
                assert each["spec"]["clusterResourceWhitelist"] == []


@any_tree
@given(tree=fenced_trees())
def test_names_fit_and_no_two_manifests_meet(tree: Tree) -> None:
    manifests = [each for unit in units(tree, "local") for each in render_unit(tree, unit).items()]
    assert len({path for path, _ in manifests}) == len(manifests)
    for _, manifest in manifests:
        metadata = manifest["metadata"]
        assert len(metadata["name"]) <= DNS_LABEL_LIMIT
        assert all(len(value) <= DNS_LABEL_LIMIT for value in metadata.get("labels", {}).values())


@settings(max_examples=40, deadline=None)
@given(
    tenant=name("tenant").filter(lambda text: text != "platform"),
    projects=st.lists(name("project"), max_size=4, unique=True),
)
def test_no_two_manifests_of_a_tenants_folder_meet(tenant: str, projects: list[str]) -> None:
    """Projects share the folder of their tenant, whatever they are called."""
    specs = {path: full_specs()[path] for path in (PLATFORM, CLUSTER)}
    specs[f"tenants/{tenant}/tenant.yaml"] = {"displayName": "T", "hostnames": ["t"], "defaultProject": "p"}
    for project in (*projects, "httproute"):
        specs[f"tenants/{tenant}/projects/{project}/project.yaml"] = {"cluster": "local"}
    tree = tree_of(specs)
    paths = [path for unit in units(tree, "local") for path in render_unit(tree, unit)]
    assert len(set(paths)) == len(paths)
    assert all(
        path.startswith(f"{folder_of(unit)}/") for unit in units(tree, "local") for path in render_unit(tree, unit)
    )


def test_tenants_folders_hold_what_lies_in_their_namespace() -> None:
    tree = tree_of(full_specs())
    found = [
        (unit, manifest)
        for unit in units(tree, "local")
        if unit.kind in {UnitKind.DEPLOYMENT, UnitKind.TRAINING_JOB}
        for manifest in render_unit(tree, unit).values()
    ]
    assert found
    for unit, manifest in found:
        assert manifest["metadata"]["namespace"] == namespace(unit.tenant, unit.project)
        assert (manifest["apiVersion"].rpartition("/")[0], manifest["kind"]) in TENANT_KINDS


PROXY, KFP, DNS = Pod("edge-proxies", EDGE_POD), Pod("pipelines"), Pod("kube-system", {"k8s-app": "kube-dns"})
HERE = "acme--fraud"


@pytest.mark.parametrize(
    ("source", "target", "port", "open_"),
    [
        (PROXY, Pod(HERE, SERVER), 8080, True),
        (PROXY, Pod(HERE, SERVER), 22, False),
        (PROXY, Pod(HERE, RUN), 8080, False),
        (Pod("edge-proxies"), Pod(HERE, SERVER), 8080, False),
        (Pod("elsewhere", EDGE_POD), Pod(HERE, SERVER), 8080, False),
        (Pod(HERE, SERVER), Pod(HERE, SERVER), 8080, True),
        (Pod(HERE, RUN), Pod(HERE, SERVER), 8080, False),
        (Pod(HERE, NODE), Pod(HERE, NODE), 29500, True),
        (Pod(HERE, NODE), Pod(HERE, RUN), 29500, False),
        (Pod(HERE, RUN), KFP, 8887, True),
        (Pod(HERE, SERVER), KFP, 8887, False),
        (Pod(HERE), Pod("seaweedfs"), 8333, True),
        (Pod(HERE), Pod("seaweedfs"), 9333, False),
        (Pod(HERE), Pod("elsewhere"), 443, False),
    ],
)
def test_what_the_platform_needs_is_open(source: Pod, target: Pod, port: int, open_: bool) -> None:
    assert may_connect(policies_of(tree_of(full_specs())), source, target, port) is open_


def test_every_pod_resolves_names() -> None:
    policies = policies_of(tree_of(full_specs()))
    assert all(may_connect(policies, Pod(HERE, labels), DNS, 53, "UDP") for labels in POD_LABELS)


def test_declared_networks_are_reached_on_declared_ports() -> None:
    policies = policies_of(tree_of(full_specs()))
    assert may_reach(policies, Pod(HERE), "10.20.1.1", 5432)
    assert may_reach(policies, Pod(HERE), "169.254.169.253", 443), "only the address itself is cut out"
    assert not may_reach(policies, Pod(HERE), "10.21.1.1", 5432)
    assert not may_reach(policies, Pod("globex--churn"), "10.20.1.1", 5432)


def _subsets() -> st.SearchStrategy[dict[str, Manifest]]:
    specs = small_specs()
    return st.sets(st.sampled_from(sorted(specs))).map(lambda paths: {path: specs[path] for path in sorted(paths)})


@settings(max_examples=80, deadline=None)
@given(specs=_subsets())
def test_units_follow_from_the_paths_of_their_intents(specs: dict[str, Manifest]) -> None:
    tree = Tree.empty().advance({path: document(path, spec) for path, spec in specs.items()})

    def named() -> Iterator[Unit]:
        yield Unit(UnitKind.CLUSTER, "local")
        for path in specs:
            yield from units_of(tree, "local", path)

    there = set(units(tree, "local"))
    assert set(named()) == there
    everything = set(units(tree_of(small_specs()), "local"))
    assert {unit for unit in everything if is_there(tree, unit)} == there
