"""The cluster that `ORDAIN_TEST_KUBECONFIG` names: Kubernetes 1.36 with KServe 0.20 and nothing on it to lose.

Pods need not really run: simulated nodes (kwok) will do, and the few tests that want a node of a pool bring one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.fixtures.custom_resources import FOLDER
from tests.support.clusters import Cluster
from tests.support.deliveries import Delivery

KUBECONFIG = "ORDAIN_TEST_KUBECONFIG"

Connect = Callable[[str], Cluster]
"""Argo CD's namespace → the cluster, as Argo CD's controller there sees it."""


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    named = os.environ.get(KUBECONFIG)
    if not named:
        pytest.skip(f"{KUBECONFIG} names no cluster")
    return Path(named)


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return the cluster as its administrator sees it, with every definition that manifests need."""
    connected = Cluster(kubeconfig, tmp_path_factory.mktemp("discovery") / "administrator.json")
    files = (file.read_bytes() for file in sorted(FOLDER.glob("*.yaml")))
    connected.install(document for body in files for document in yaml.load_all(body, yaml.CSafeLoader) if document)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def as_argo_cd(cluster: Cluster, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """Return what connects as Argo CD's controller; the platform's policies ask who brings an object."""
    made: dict[str, Cluster] = {}

    def connect(namespace: str) -> Cluster:
        if namespace not in made:
            cache = tmp_path_factory.mktemp("discovery") / f"{namespace}.json"
            made[namespace] = Cluster(kubeconfig, cache, argo_cd=namespace)
        return made[namespace]

    yield connect
    for each in made.values():
        each.close()


@pytest.fixture(scope="module")
def delivery(cluster: Cluster) -> Iterator[Delivery]:
    """Return what applies rendered branches; whatever was applied is gone after the module."""
    made = Delivery(cluster)
    yield made
    made.end()
