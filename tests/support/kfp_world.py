"""The KFP driver as the composition root makes it, on a server that tests name, with templates of their own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from intents.tree import Tree
from reconciler.drivers.kubernetes.kfp_api import KfpApi, Token
from reconciler.drivers.kubernetes.kfp_pipelines import KfpPipelines
from reconciler.drivers.kubernetes.workflows import KubernetesWorkflows, Workflows
from reconciler.ports.objects import Objects
from tests.fixtures.trees import CLUSTER, FRAUD, tree_of
from tests.fixtures.workloads import workload_specs

CLUSTER_NAME = Path(CLUSTER).stem
_TYPES = {"STRING": "string", "NUMBER_INTEGER": "integer", "NUMBER_DOUBLE": "number", "BOOLEAN": "boolean"}


@dataclass
class Kfp:
    """A driver with the connections it stands on."""

    engine: KfpPipelines
    kubernetes: httpx.AsyncClient

    def close(self) -> None:
        self.engine.close()


def kfp_on(address: str, objects: Objects, packages: Mapping[str, Path], token: Token | None = None) -> Kfp:
    """Return a driver on the server at `address`, which answers for Kubernetes too."""
    client = httpx.AsyncClient(base_url=address, timeout=2.0)
    return Kfp(kfp_pipelines(address, KubernetesWorkflows(client), objects, packages, token), client)


def kfp_pipelines(
    address: str, workflows: Workflows, objects: Objects, packages: Mapping[str, Path], token: Token | None = None
) -> KfpPipelines:
    """Return a driver for the cluster of the tree with these packages as templates."""
    tree = tree_with(packages)
    return KfpPipelines(KfpApi(address, token), workflows, objects, lambda: tree, CLUSTER_NAME)


def tree_with(packages: Mapping[str, Path], project: Mapping[str, Any] | None = None) -> Tree:
    """Return a tree on Kubernetes with a template, version 1.0.0, of each package; `project` changes that of fraud."""
    specs = workload_specs({FRAUD: project or {}})
    for name, path in packages.items():
        specs[f"templates/{name}/1.0.0/template.yaml"] = _template(path.read_bytes())
    return tree_of(specs)


def _template(package: bytes) -> dict[str, Any]:
    inputs = yaml.safe_load(package)["root"].get("inputDefinitions", {}).get("parameters", {})
    properties = {name: {"type": _TYPES[each["parameterType"]]} for name, each in inputs.items()}
    required = [name for name, each in inputs.items() if "defaultValue" not in each and not each.get("isOptional")]
    return {
        "package": {"sha256": hashlib.sha256(package).hexdigest()},
        "parameters": {"type": "object", "properties": properties, "required": required},
    }


def writes_to(objects: Objects) -> Callable[[str, str, bytes], None]:
    """Return how a thread of a double writes an object."""

    def write(bucket: str, key: str, body: bytes) -> None:
        asyncio.run(objects.put(bucket, key, body))

    return write
