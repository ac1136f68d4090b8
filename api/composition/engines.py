"""What runs and serves, and where its bytes lie."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from intents.tree import Tree
from reconciler.drivers.kubernetes.access import ApiServer, ClusterAccess
from reconciler.drivers.kubernetes.kfp_api import KfpApi, Token
from reconciler.drivers.kubernetes.kfp_pipelines import KfpPipelines
from reconciler.drivers.kubernetes.workflows import UnseenWorkflows, Workflows
from reconciler.drivers.local.pipelines import LocalPipelines
from reconciler.ports.objects import Objects
from reconciler.ports.pipelines import Pipelines
from reconciler.services.credentials import Credentials
from reconciler.services.layout import Layout
from reconciler.services.settings import Settings
from reconciler.services.target import LOCAL, Target
from reconciler.stores.objects.s3 import S3Access, S3Objects
from reconciler.stores.objects.synced import Synced, SyncedObjects


def environments() -> Path:
    """Return the folder of the three environments: the one this program's own lies in."""
    return Path(sys.prefix).parent


def kubernetes_of(tree: Tree, target: Target) -> ApiServer | None:
    """Return the API server of the target, or None where that is this machine."""
    cluster = tree.cluster(target.cluster)
    if cluster is None or cluster.spec.kubernetes is None:
        return None
    return ApiServer(ClusterAccess(target.kubeconfig, target.context))


def objects(settings: Settings) -> Objects:
    """Return object storage, as the platform itself. SeaweedFS answers before anything is on the disk."""
    s3 = S3Objects(S3Access(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key))
    return SyncedObjects(s3, Synced.file_system_of(settings.layout.s3))


def pipelines(
    settings: Settings,
    objects: Objects,
    tree: Callable[[], Tree],
    name: str = LOCAL,
    workflows: Workflows | None = None,
) -> Pipelines:
    """Return what executes the runs of the cluster of that name: KFP, or its local runner on this machine.

    `workflows` is how its Kubernetes is asked about runs; without it nothing is promised of a submission.
    """
    cluster = tree().cluster(name)
    there = cluster.spec.kubernetes if cluster else None
    if there is None:
        return _local_runner(settings.layout, objects)
    api = KfpApi(there.kfp.endpoint, _token(settings.layout, there.kfp.endpoint))
    return KfpPipelines(api, workflows or UnseenWorkflows(), objects, tree, name)


def _local_runner(layout: Layout, objects: Objects) -> LocalPipelines:
    tasks_python = environments() / ".venv-tasks" / "bin" / "python"
    return LocalPipelines(layout.processes, tasks_python, objects, hidden=(layout.state, layout.sockets))


def _token(layout: Layout, endpoint: str) -> Token:
    """Return how the token for a server is read: from where the credentials for its address say, if they say."""

    def read() -> str:
        found = Credentials(layout.credentials).of(endpoint)
        return found.token.read() if found and found.token else ""

    return read
