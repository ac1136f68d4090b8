"""What fences tenants, opens the edge and delivers: in the API server's form, and true to its promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from intents.problems import InvalidIntent
from intents.quantities import canonical_quantity
from intents.tree import Tree
from renderers.argocd import CLUSTER_KINDS, PLATFORM_KINDS, TENANT_KINDS
from renderers.edge_policies import render_deployment_policies
from renderers.policies.rules import ALLOWED_KINDS, GPU_LABEL
from renderers.rendering import render_cluster, render_unit, units
from renderers.unit import Unit, UnitKind
from tests.fixtures.custom_resources import complaints, missing_defaults
from tests.fixtures.serving import SCORING, situations
from tests.fixtures.tenancy import fences, full_specs, platform_trees
from tests.fixtures.trees import ACME, CLUSTER, DEPLOYMENT, FRAUD, PLATFORM, ROLLOUT, tree_of

ROOT = Path(__file__).resolve().parents[3]
Manifest = dict[str, Any]
TREES = platform_trees()
CLUSTER_UNIT, TENANT, PROJECT = (
    Unit(UnitKind.CLUSTER, "local"),
    Unit(UnitKind.TENANT, "local", "acme"),
    Unit(UnitKind.PROJECT, "local", "acme", "fraud"),
)
OWN = {UnitKind.CLUSTER, UnitKind.TENANT, UnitKind.PROJECT}
MANIFESTS = [
    pytest.param(manifest, id=f"{name}-{path}") for name, tree in TREES.items() for path, manifest in fences(tree)
]


def rendered(tree: Tree, unit: Unit, kind: str, name: str = "") -> Manifest:
    """Return the one manifest of a unit with this kind, and this name where one is given."""
    found = _of_kind(tree, unit, kind)
    (manifest,) = [each for each in found if not name or each["metadata"]["name"] == name]
    return manifest


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_published_definition_has_nothing_against_it(manifest: Manifest) -> None:
    assert complaints(manifest) == []


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_api_server_has_no_default_to_add(manifest: Manifest) -> None:
    assert missing_defaults(manifest) == []


@pytest.mark.parametrize("name", TREES)
def test_quantities_are_canonical(name: str) -> None:
    hard = rendered(TREES[name], PROJECT, "ResourceQuota")["spec"]["hard"]
    (limits,) = rendered(TREES[name], PROJECT, "LimitRange")["spec"]["limits"]
    amounts = [*hard.values(), *limits["default"].values(), *limits["defaultRequest"].values()]
    assert amounts == [canonical_quantity(each) for each in amounts]


def test_a_projects_quota_is_its_own_then_its_tenants() -> None:
    hard = rendered(TREES["jwt"], PROJECT, "ResourceQuota")["spec"]["hard"]
    assert (hard["requests.cpu"], hard["requests.memory"]) == ("32", "256Gi")


def test_what_helpers_are_limited_to_takes_nothing_of_a_quota() -> None:
    hard = rendered(TREES["jwt"], PROJECT, "ResourceQuota")["spec"]["hard"]
    assert not [name for name in hard if name.startswith("limits.")]


def test_gpus_are_limited_by_the_resource_their_types_share() -> None:
    hard = rendered(TREES["jwt"], PROJECT, "ResourceQuota")["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "3", "two L4 and one A100"
    assert hard["requests.amd.com/gpu"] == "0", "not named, so not allowed"


def test_a_small_quota_holds_the_defaults_of_a_container() -> None:
    specs = full_specs()
    specs[FRAUD]["quota"] = {"cpus": "250m", "memory": "64Mi"}
    (limits,) = rendered(tree_of(specs), PROJECT, "LimitRange")["spec"]["limits"]
    assert limits["default"] == {"cpu": "250m", "memory": "64Mi"}
    assert limits["defaultRequest"] == {"cpu": "100m", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("policies", "level"),
    [
        ({}, "restricted"),
        ({"runAsNonRoot": "audit"}, "baseline"),
        ({"imageAllowlist": "audit"}, "restricted"),
        ({"noHostPath": "audit"}, "privileged"),
        ({"noPrivileged": "audit", "runAsNonRoot": "enforce"}, "privileged"),
    ],
)
def test_pod_security_refuses_nothing_that_the_platform_only_audits(policies: dict[str, str], level: str) -> None:
    specs = full_specs()
    specs[PLATFORM]["policies"] = policies
    labels = rendered(tree_of(specs), PROJECT, "Namespace")["metadata"]["labels"]
    prefix = "pod-security.kubernetes.io"
    assert labels[f"{prefix}/enforce"] == level
    assert labels[f"{prefix}/audit"] == labels[f"{prefix}/warn"] == "restricted"
    assert {labels[f"{prefix}/{mode}-version"] for mode in ("enforce", "audit", "warn")} == {"v1.36"}


def test_model_servers_get_no_token_and_find_their_credentials_by_name() -> None:
    serving = rendered(TREES["jwt"], PROJECT, "ServiceAccount", "ordain-serving")
    assert serving["automountServiceAccountToken"] is False
    assert serving["secrets"] == [{"name": "s3-keys"}]
    assert serving["imagePullSecrets"] == [{"name": "registry-keys"}]


@pytest.mark.parametrize("name", ["jwt", "audited-knative"])
def test_workloads_run_as_accounts_of_their_project(name: str) -> None:
    accounts = {each["metadata"]["name"] for each in _of_kind(TREES[name], PROJECT, "ServiceAccount")}
    services = _of_kind(TREES[name], SCORING, "InferenceService")
    assert services
    assert {each["spec"]["predictor"]["serviceAccountName"] for each in services} <= accounts


def _of_kind(tree: Tree, unit: Unit, kind: str) -> list[Manifest]:
    return [each for each in render_unit(tree, unit).values() if each["kind"] == kind]


def test_runs_may_read_one_secret_and_report_how_they_ended() -> None:
    rules = rendered(TREES["jwt"], PROJECT, "Role")["rules"]
    allowed = {(each["resources"][0], *each.get("resourceNames", [])): set(each["verbs"]) for each in rules}
    assert allowed == {
        ("workflowtaskresults",): {"create", "patch"},
        ("configmaps", "kfp-launcher"): {"get"},
        ("secrets", "s3-keys"): {"get"},
    }
    binding = rendered(TREES["jwt"], PROJECT, "RoleBinding")
    assert [each["name"] for each in binding["subjects"]] == ["ordain-runs"]


def test_the_gateway_is_the_one_that_routes_name() -> None:
    gateway = rendered(TREES["jwt"], CLUSTER_UNIT, "Gateway")["metadata"]
    listeners = {each["name"] for each in rendered(TREES["jwt"], CLUSTER_UNIT, "Gateway")["spec"]["listeners"]}
    routes = [each for each in render_cluster(TREES["jwt"], "local").values() if each["kind"] == "HTTPRoute"]
    parents = [parent for route in routes for parent in route["spec"]["parentRefs"]]
    assert {(each["namespace"], each["name"]) for each in parents} == {(gateway["namespace"], gateway["name"])}
    assert {each["sectionName"] for each in parents if "sectionName" in each} <= listeners


def test_tenants_routes_come_from_marked_namespaces_only() -> None:
    listeners = {each["name"]: each for each in rendered(TREES["jwt"], CLUSTER_UNIT, "Gateway")["spec"]["listeners"]}
    (mark,) = listeners["tenants"]["allowedRoutes"]["namespaces"]["selector"]["matchLabels"].items()
    assert mark in rendered(TREES["jwt"], PROJECT, "Namespace")["metadata"]["labels"].items()
    marked = rendered(TREES["jwt"], CLUSTER_UNIT, "Namespace", "ordain-system")["metadata"]["labels"]
    assert mark in marked.items()
    assert mark not in rendered(TREES["jwt"], CLUSTER_UNIT, "Namespace", "ordain")["metadata"]["labels"].items()
    assert {listeners[each]["allowedRoutes"]["namespaces"]["from"] for each in ("base", "plain")} == {"Same"}


def test_a_tenants_hosts_set_the_tenant_and_leave_the_project_to_the_request() -> None:
    spec = rendered(TREES["jwt"], TENANT, "HTTPRoute")["spec"]
    assert spec["hostnames"] == ["acme.ml.localhost", "acme-eu.ml.localhost"]
    (rule,) = spec["rules"]
    assert [each["requestHeaderModifier"] for each in rule["filters"]] == [
        {"set": [{"name": "X-Tenant-Id", "value": "acme"}], "remove": ["X-Project-Id"]}
    ]


@pytest.mark.parametrize(
    ("name", "trusted"),
    [("jwt", set()), ("passthrough", {"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups"})],
)
def test_trusted_headers_are_stripped_before_anything_looks(name: str, trusted: set[str]) -> None:
    """Those that the token's claims go to, above all: Envoy adds to what is there."""
    headers = rendered(TREES[name], CLUSTER_UNIT, "ClientTrafficPolicy")["spec"]["headers"]
    stripped = set(headers["earlyRequestHeaders"]["remove"])
    everything = {"X-Tenant-Id", "X-Project-Id", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups"}
    assert stripped >= everything - trusted
    assert not stripped & trusted, "they are the word of the proxy in front"
    policies = [each["spec"] for each in render_cluster(TREES[name], "local").values() if "jwt" in each.get("spec", {})]
    named = (each for spec in policies for each in spec["jwt"]["providers"][0].get("claimToHeaders", ()))
    assert {each["header"] for each in named} <= stripped


def test_with_tokens_the_edge_is_closed_and_each_route_opens_itself() -> None:
    tree = TREES["jwt"]
    closed = rendered(tree, CLUSTER_UNIT, "SecurityPolicy", "closed")["spec"]
    assert closed["authorization"] == {"defaultAction": "Deny"}
    assert {each["sectionName"] for each in closed["targetRefs"]} == {"tenants", "base"}
    manifests = list(render_cluster(tree, "local").values())
    routes = [each for each in manifests if each["kind"] == "HTTPRoute"]
    policies = [each for each in manifests if each["kind"] == "SecurityPolicy"]
    opened = {_place(route) for route in routes if any(_opens(each, route) for each in policies)}
    assert opened == {_place(route) for route in routes} - {("ordain-system", "to-https")}


def _opens(policy: Manifest, route: Manifest) -> bool:
    if policy["metadata"]["namespace"] != route["metadata"]["namespace"]:
        return False
    named = {each["name"] for each in policy["spec"].get("targetRefs", ()) if each["kind"] == "HTTPRoute"}
    labels = route["metadata"].get("labels", {}).items()
    selected = [each["matchLabels"].items() <= labels for each in policy["spec"].get("targetSelectors", ())]
    return route["metadata"]["name"] in named or any(selected)


def _place(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def test_without_tokens_the_proxy_in_front_decides() -> None:
    kinds = {each["kind"] for each in render_cluster(TREES["passthrough"], "local").values()}
    assert "SecurityPolicy" not in kinds
    assert "ClientTrafficPolicy" in kinds


def test_a_tenants_hosts_take_tokens_of_that_tenant() -> None:
    spec = rendered(TREES["jwt"], TENANT, "SecurityPolicy")["spec"]
    assert spec["authorization"]["defaultAction"] == "Deny"
    claims = [rule["principal"]["jwt"]["claims"] for rule in spec["authorization"]["rules"]]
    assert claims == [
        [{"name": "tenants", "valueType": form, "values": ["acme"]}] for form in ("String", "StringArray")
    ]
    (provider,) = spec["jwt"]["providers"]
    assert {each["header"]: each["claim"] for each in provider["claimToHeaders"]} == {
        "X-Forwarded-User": "email",
        "X-Forwarded-Email": "email",
        "X-Forwarded-Groups": "groups",
    }


@pytest.mark.parametrize(
    ("access", "authenticated", "authorization"),
    [("tenant", True, "Deny"), ("platform", True, None), ("public", False, "Allow")],
)
def test_a_deployment_is_as_open_as_it_says(access: str, authenticated: bool, authorization: str | None) -> None:
    specs = full_specs()
    specs[DEPLOYMENT]["endpoint"] = {"access": access}
    spec = rendered(tree_of(specs), SCORING, "SecurityPolicy")["spec"]
    assert ("jwt" in spec) is authenticated
    assert spec.get("authorization", {}).get("defaultAction") == authorization


def test_a_deployments_rate_limit_is_on_all_its_routes() -> None:
    policy = rendered(TREES["jwt"], SCORING, "BackendTrafficPolicy")
    assert policy["spec"]["rateLimit"]["local"]["rules"] == [{"limit": {"requests": 50, "unit": "Second"}}]
    routes = [each for each in render_unit(TREES["jwt"], SCORING).values() if each["kind"] == "HTTPRoute"]
    assert all(_opens(policy, each) for each in routes)
    assert not _opens(policy, rendered(TREES["jwt"], TENANT, "HTTPRoute"))


def test_no_policy_stands_before_its_route() -> None:
    tree = TREES["jwt"].advance({ROLLOUT: None})
    assert list(render_deployment_policies(tree, SCORING)) == []
    assert list(render_deployment_policies(tree.advance({DEPLOYMENT: None}), SCORING)) == []


def test_a_tenants_project_holds_its_namespaces_and_nothing_of_the_cluster() -> None:
    specs = full_specs()
    specs["tenants/acme/projects/other/project.yaml"] = {"cluster": "local"}
    specs["tenants/acme/projects/away/project.yaml"] = {"cluster": "elsewhere"}
    specs["platform/clusters/elsewhere.yaml"] = specs[CLUSTER]
    project = rendered(tree_of(specs), TENANT, "AppProject")
    assert [each["namespace"] for each in project["spec"]["destinations"]] == ["acme--fraud", "acme--other"]
    assert project["spec"]["sourceRepos"] == ["https://git.example/ordain.git"]
    assert project["spec"]["clusterResourceWhitelist"] == []
    assert "roles" not in project["spec"]


def _group_kind(manifest: Manifest) -> tuple[str, str]:
    return manifest["apiVersion"].rpartition("/")[0], manifest["kind"]


def _kinds(manifests: Iterator[Manifest]) -> set[tuple[str, str]]:
    return {_group_kind(each) for each in manifests}


def _rendered_kinds(*, own: bool) -> set[tuple[str, str]]:
    trees = [*TREES.values(), *situations().values()]
    return _kinds(
        manifest
        for tree in trees
        for unit in units(tree, "local")
        if (unit.kind in OWN) is own
        for manifest in render_unit(tree, unit).values()
    )


def test_the_fences_let_through_what_is_rendered() -> None:
    assert _rendered_kinds(own=False) <= set(TENANT_KINDS)
    assert _rendered_kinds(own=True) <= {*PLATFORM_KINDS, *CLUSTER_KINDS}


def test_no_policy_refuses_what_is_rendered_for_tenants() -> None:
    allowed = {(group, kind) for group, kinds in ALLOWED_KINDS.items() for kind in kinds}
    assert set(TENANT_KINDS) <= allowed
    assert {_group_kind(each) for each in render_unit(TREES["jwt"], PROJECT).values()} - {("", "Namespace")} <= allowed


def test_a_namespace_may_use_the_gpus_of_its_tenants_quota() -> None:
    labels = rendered(TREES["jwt"], PROJECT, "Namespace")["metadata"]["labels"]
    assert [key for key in labels if key.startswith(GPU_LABEL)] == [f"{GPU_LABEL}nvidia-l4"]


def test_applications_are_of_the_projects_and_namespaces_that_are_rendered() -> None:
    tree = TREES["jwt"]
    template = rendered(tree, CLUSTER_UNIT, "ApplicationSet", "local-tenants")["spec"]["template"]["spec"]
    project = rendered(tree, TENANT, "AppProject")

    def filled(text: str) -> str:
        return text.replace("{{index .path.segments 0}}", "acme").replace("{{index .path.segments 1}}", "fraud")

    assert filled(template["project"]) == project["metadata"]["name"]
    destination = {key: filled(value) for key, value in template["destination"].items()}
    assert destination in project["spec"]["destinations"]
    platform = rendered(tree, CLUSTER_UNIT, "ApplicationSet", "local-platform")["spec"]["template"]["spec"]
    assert platform["project"] == rendered(tree, CLUSTER_UNIT, "AppProject")["metadata"]["name"]


def test_applications_follow_the_branch_and_retry_on_what_is_new() -> None:
    for name in ("local-tenants", "local-platform"):
        spec = rendered(TREES["jwt"], CLUSTER_UNIT, "ApplicationSet", name)["spec"]
        (generator,) = spec["generators"]
        source, policy = spec["template"]["spec"]["source"], spec["template"]["spec"]["syncPolicy"]
        assert generator["git"]["revision"] == source["targetRevision"] == "refs/heads/rendered/local"
        assert policy["automated"] == {"prune": True, "selfHeal": True}
        assert policy["retry"]["refresh"] is True
        assert "ServerSideApply=true" in policy["syncOptions"]
        assert "ServerSideDiff=true" in spec["template"]["metadata"]["annotations"].values()


def test_where_no_argo_cd_is_nothing_is_for_it() -> None:
    groups = {group for group, _ in _kinds(iter(render_cluster(TREES["local"], "local").values()))}
    assert "argoproj.io" not in groups
    assert "networking.k8s.io" in groups


@pytest.mark.parametrize(
    ("path", "unit", "code"),
    [
        (CLUSTER, CLUSTER_UNIT, "unknown-cluster"),
        (ACME, TENANT, "unknown-tenant"),
        (ACME, PROJECT, "unknown-tenant"),
        (FRAUD, PROJECT, "unknown-project"),
    ],
)
def test_no_fence_is_rendered_away(path: str, unit: Unit, code: str) -> None:
    """What has no manifests is removed from the cluster; what cannot be rendered stays as it is."""
    with pytest.raises(InvalidIntent) as refused:
        render_unit(TREES["jwt"].advance({path: None}), unit)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_argo_cd_is_told_the_health_of_what_it_does_not_know() -> None:
    """Of the kinds of workloads it ships mappings for routes, edge policies and budgets."""
    fragment = yaml.safe_load((ROOT / "platform" / "install" / "argo-cd.yaml").read_text())
    prefix = "resource.customizations.health."
    mapped = {tuple(key.removeprefix(prefix).split("_")) for key in fragment["data"] if key.startswith(prefix)}
    assert mapped == {each for each in TENANT_KINDS if each[0] in {"serving.kserve.io", "trainer.kubeflow.org"}}
