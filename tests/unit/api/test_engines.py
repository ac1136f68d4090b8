"""What executes runs follows from the cluster on main."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from api.composition.engines import pipelines
from intents.tree import Tree
from reconciler.drivers.kubernetes.kfp_pipelines import KfpPipelines
from reconciler.drivers.local.pipelines import LocalPipelines
from reconciler.planning.observations import Delivery, EngineRunId
from reconciler.ports.errors import Stalled
from reconciler.services.settings import Settings
from reconciler.stores.fake_objects import MemoryObjects
from tests.fixtures.parts import settings_at
from tests.fixtures.trees import CLUSTER, small_specs, tree_of
from tests.fixtures.workloads import workload_specs
from tests.support.kfp_double import KfpDouble
from tests.support.kfp_server import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path)


def on_kubernetes(endpoint: str) -> Tree:
    specs = workload_specs()
    kubernetes: Mapping[str, Any] = specs[CLUSTER]["kubernetes"]
    specs[CLUSTER] = {**specs[CLUSTER], "kubernetes": {**kubernetes, "kfp": {"endpoint": endpoint}}}
    return tree_of(specs)


def test_runs_of_this_machine_are_executed_by_the_local_runner(settings: Settings) -> None:
    tree = tree_of(small_specs())
    assert isinstance(pipelines(settings, MemoryObjects(), lambda: tree), LocalPipelines)


async def test_runs_of_a_cluster_are_executed_by_its_kfp_as_whom_the_credentials_name(
    settings: Settings, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("mine\n")
    with serving(KfpDouble(tokens={"mine"})) as address:
        tree = on_kubernetes(address)
        engine = pipelines(settings, MemoryObjects(), lambda: tree)
        assert isinstance(engine, KfpPipelines)
        assert await engine.delivery() is Delivery.AT_LEAST_ONCE, "nobody asks its Kubernetes"
        with pytest.raises(Stalled, match="refuses whoever asks"):
            await engine.find(EngineRunId("r"))
        settings.layout.credentials.write_text(json.dumps({address: {"token": {"file": str(token)}}}))
        assert (await engine.find(EngineRunId("r"))).absent
        engine.close()
