"""The KFP driver as the composition root makes it, on a server that tests name, with templates of their own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from intents.tree import Tree
from reconciler.drivers.kubernetes.kfp_api import KfpApi, Token
from reconciler.drivers.kubernetes.kfp_pipelines import KfpPipelines
from reconciler.drivers.kubernetes.workflows import KubernetesWorkflows, UnseenWorkflows, Workflows
from reconciler.ports.errors import Waiting
from reconciler.ports.objects import Objects
from reconciler.stores.objects.s3 import S3Access, S3Objects
from tests.fixtures.trees import CLUSTER, FRAUD, tree_of
from tests.fixtures.workloads import workload_specs

CLUSTER_NAME = Path(CLUSTER).stem
_TYPES = {"STRING": "string", "NUMBER_INTEGER": "integer", "NUMBER_DOUBLE": "number", "BOOLEAN": "boolean"}


class PlainServer:
    """A Kubernetes API server; without a certificate one that knows everybody, such as the double."""

    def __init__(self, address: str, verify: ssl.SSLContext | bool = True) -> None:
        self._client = httpx.AsyncClient(base_url=address, timeout=10.0, verify=verify)

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise Waiting(f"Kubernetes at {self._client.base_url}: {error!r}") from error

    async def close(self) -> None:
        await self._client.aclose()


@dataclass
class Kfp:
    """A driver, ended after its test."""

    engine: KfpPipelines

    def close(self) -> None:
        self.engine.close()


def kfp_on(address: str, objects: Objects, packages: Mapping[str, Path], token: Token | None = None) -> Kfp:
    """Return a driver on the server at `address`, which answers for Kubernetes too."""
    workflows = KubernetesWorkflows(PlainServer(address))
    return Kfp(kfp_pipelines(address, workflows, objects, packages, token))


REAL_KFP = os.environ.get("ORDAIN_TEST_KFP_URL", "")
"""The address of a real KFP API server in multi-user mode, with a project namespace `acme--fraud`."""


def real_kfp(packages: Mapping[str, Path]) -> tuple[Kfp, Objects]:
    """Return a driver on the real server that the environment names, and the object storage its runs write to.

    `ORDAIN_TEST_KFP_S3` is that storage, as http://KEY:SECRET@HOST:PORT; `ORDAIN_TEST_KFP_TOKEN` a file with a token,
    where one is needed; `ORDAIN_TEST_KFP_KUBERNETES` the address of a `kubectl proxy`: without, nothing is promised.
    """
    place, token = urlsplit(os.environ["ORDAIN_TEST_KFP_S3"]), os.environ.get("ORDAIN_TEST_KFP_TOKEN")
    endpoint = f"{place.scheme}://{place.hostname}:{place.port}"
    objects = S3Objects(S3Access(endpoint, place.username or "", place.password or ""))
    proxy = os.environ.get("ORDAIN_TEST_KFP_KUBERNETES")
    workflows = KubernetesWorkflows(PlainServer(proxy)) if proxy else UnseenWorkflows()
    read = (lambda: Path(token).read_text(encoding="utf-8").strip()) if token else None
    return Kfp(kfp_pipelines(REAL_KFP, workflows, objects, packages, read)), objects


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
