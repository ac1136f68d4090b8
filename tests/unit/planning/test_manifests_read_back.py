from __future__ import annotations

import yaml

from intents.tree import Tree
from reconciler.planning.manifests import Manifest, edge_routes, server_specs
from reconciler.planning.observations import Backend, EdgeRoute, ServerSpec
from reconciler.planning.serving import served_of
from renderers.canonical import to_yaml
from renderers.rendering import render_unit
from tests.fixtures.serving import SCORING, V3, situations, strategies
from tests.fixtures.trees import ACME, V1, V2, document, small_specs

TREES = situations()


def read_back(tree: Tree) -> list[Manifest]:
    """Render the deployment, and read its bytes as the driver finds them on the branch."""
    rendered = render_unit(tree, SCORING)
    return [yaml.safe_load(to_yaml(manifest)) for manifest in rendered.values()]


def spec_of(version: dict[str, str]) -> ServerSpec:
    folder = version["digest"].removeprefix("sha256:")
    return ServerSpec(
        "acme--fraud",
        f"scoring-{version['name']}",
        "fraud",
        f"s3://models/acme/fraud/fraud/{folder}/",
        version["digest"],
    )


def test_one_server_a_live_version() -> None:
    assert server_specs(read_back(TREES["first"])) == (spec_of(V1),)
    assert server_specs(read_back(TREES["moved"])) == (spec_of(V1), spec_of(V2))
    assert server_specs([]) == ()


def test_a_route_weighs_the_servers_that_have_an_address() -> None:
    addresses = {spec_of(V1).key: "127.0.0.1:1", spec_of(V2).key: "127.0.0.1:2", "other": "127.0.0.1:3"}
    one, two = Backend(spec_of(V1).key, "127.0.0.1:1", 0), Backend(spec_of(V2).key, "127.0.0.1:2", 100)
    (route,) = edge_routes(read_back(TREES["moved"]), addresses)
    assert route == EdgeRoute("acme.ml.localhost", "acme", "fraud", "scoring", "fraud", (one, two), 5.0)


def test_a_server_without_an_address_gets_no_traffic() -> None:
    (route,) = edge_routes(read_back(TREES["moved"]), {spec_of(V1).key: "127.0.0.1:1"})
    assert [backend.server for backend in route.backends] == [spec_of(V1).key]
    (bare,) = edge_routes(read_back(TREES["moved"]), {})
    assert bare.backends == ()


def test_one_route_a_host_name() -> None:
    tenant = {**small_specs()[ACME], "hostnames": ["acme", "acme-eu"]}
    tree = TREES["plain"].advance({ACME: document(ACME, tenant)})
    routes = edge_routes(read_back(tree), {})
    assert [route.hostname for route in routes] == ["acme.ml.localhost", "acme-eu.ml.localhost"]
    assert {route.timeout_seconds for route in routes} == {30.0}


def test_requests_that_prefer_a_version_do_not_count_as_weights() -> None:
    """The A/B test of three has two HTTPRoutes, whose first rules are for what prefers a version."""
    manifests = read_back(strategies()["ab-three"])
    keys = [spec_of(version).key for version in (V1, V2, V3)]
    (route,) = edge_routes(manifests, {key: f"127.0.0.1:{port}" for port, key in enumerate(keys, 1)})
    assert [(backend.server, backend.weight) for backend in route.backends] == list(zip(keys, (50, 45, 5), strict=True))
    (served,) = served_of(manifests, {}, keys)
    assert {version.name: version.weight for version in served.versions} == {"v1": 50, "v2": 45, "v3": 5}
    assert served.routed
