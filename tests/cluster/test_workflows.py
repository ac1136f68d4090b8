"""Workflows of runs on a real API server: one a run, seen by their metadata, and ended."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kubernetes import client, config

from reconciler.drivers.kubernetes.workflows import WORKFLOWS, KubernetesWorkflows
from renderers.admission import render_workflow_names, workflow_name
from tests.fixtures.workloads import ON_CLUSTER, workload_tree
from tests.support.clusters import Cluster
from tests.support.kfp_world import PlainServer

pytestmark = [pytest.mark.anyio, pytest.mark.cluster]

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "workflows.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Workflow", "plural": "workflows", "singular": "workflow", "listKind": "WorkflowList"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""Argo's own says more of Workflows, none of which matters here."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of a cluster that makes Workflows; what was there before stays."""
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"workflows-{uuid4().hex[:8]}"}}
    policies = list(render_workflow_names(workload_tree(), ON_CLUSTER))
    new = [each for each in (DEFINITION, *policies) if cluster.stored(each) is None]
    cluster.install([DEFINITION])
    for each in (*policies, made):
        cluster.apply(each)
    yield made["metadata"]["name"]  # type: ignore[index]
    cluster.delete([made, *reversed(new)])


@pytest.fixture
def server(kubeconfig: Path) -> PlainServer:
    configuration = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return PlainServer(configuration.host, context)


async def test_a_run_has_one_workflow_however_often_it_is_made(namespace: str, server: PlainServer) -> None:
    workflows, run_id = KubernetesWorkflows(server), str(uuid4())
    assert await workflows.named_after_runs()
    metadata = {"generateName": "hello-", "labels": {"pipeline/runid": run_id}}
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": {}}
    path = f"{WORKFLOWS}/namespaces/{namespace}/workflows"
    await _until_the_policy_acts(server, path, namespace)

    statuses = await asyncio.gather(*(server.ask("POST", path, json=body) for _ in range(8)))
    assert sorted(each.status_code for each in statuses) == [201, *[409] * 7]
    (found,) = await workflows.of_run(run_id)
    assert (found.namespace, found.name, found.completed) == (namespace, workflow_name(run_id), False)
    assert found in await workflows.of_runs()
    assert not await workflows.terminated(run_id)

    patch = json.dumps({"spec": {"activeDeadlineSeconds": 0}})
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await server.ask("PATCH", f"{path}/{found.name}", content=patch, headers=headers)).is_success
    assert await workflows.terminated(run_id)
    await workflows.delete(found)
    await workflows.delete(found)
    assert list(await workflows.of_run(run_id)) == []
    await server.close()


async def _until_the_policy_acts(server: PlainServer, path: str, namespace: str) -> None:
    """A policy that was just made acts a moment later; a dry run shows whether it does."""
    probe = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "probe-", "labels": {"pipeline/runid": "probe"}},
    }
    async with asyncio.timeout(30):
        while True:
            answer = await server.ask("POST", path, params={"dryRun": "All"}, json=probe)
            if answer.json().get("metadata", {}).get("name") == workflow_name("probe"):
                return
            await asyncio.sleep(0.2)
