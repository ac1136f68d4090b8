from __future__ import annotations

import json

import pytest

from reconciler.drivers.local.envoy_config import (
    EdgePerson,
    Resource,
    cluster_resources,
    discovery,
    route_resources,
    with_clusters_of,
)
from reconciler.planning.observations import Backend, EdgeConfig, EdgeRoute, EdgeTenant
from tests.golden.golden_files import check_golden

PERSON = EdgePerson("local@localhost", "local@localhost", ("acme-ml", "admins"))
TENANTS = (EdgeTenant("acme", "fraud", ("acme.ml.localhost",)), EdgeTenant("globex", "risk", ("globex.ml.localhost",)))
V1, V2 = (
    Backend("acme--fraud.score-v1.aaaaaaaaaaaa", "127.0.0.1:20001", 90),
    Backend("acme--fraud.score-v2.bbbbbbbbbbbb", "127.0.0.1:20002", 10),
)


def config(*backends: Backend) -> EdgeConfig:
    route = EdgeRoute("acme.ml.localhost", "acme", "fraud", "score", "clf", backends, timeout_seconds=5)
    return EdgeConfig("ml.localhost", TENANTS, (route,))


SITUATIONS = {
    "no-deployment": EdgeConfig("ml.localhost", TENANTS, ()),
    "not-yet-ready": config(),
    "one-version": config(V1),
    "split": config(V1, V2),
}


@pytest.mark.parametrize(("name", "wanted"), SITUATIONS.items(), ids=SITUATIONS)
def test_the_edges_files_are_as_kept(name: str, wanted: EdgeConfig) -> None:
    files = {
        "rds.json": discovery(route_resources(wanted, PERSON)),
        "cds.json": discovery(cluster_resources(wanted, "/run/ordain/api.sock")),
    }
    check_golden(f"edge/{name}", {path: (json.dumps(each, indent=1) + "\n").encode() for path, each in files.items()})


def test_the_version_of_a_file_is_of_its_content() -> None:
    one, same, other = (discovery(route_resources(each, PERSON)) for each in (config(V1), config(V1), config(V2)))
    assert one == same
    assert one["version_info"] != other["version_info"]


def test_clusters_on_their_way_out_stay_and_the_wanted_ones_are_as_wanted() -> None:
    before: list[Resource] = [{"name": "a", "at": 1}, {"name": "b", "at": 1}]
    wanted: list[Resource] = [{"name": "b", "at": 2}, {"name": "c", "at": 2}]
    assert with_clusters_of(before, wanted) == [*wanted, {"name": "a", "at": 1}]
