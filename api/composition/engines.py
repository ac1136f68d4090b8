"""What runs and serves, and where its bytes lie."""

from __future__ import annotations

import sys
from pathlib import Path

from reconciler.drivers.local.pipelines import LocalPipelines
from reconciler.ports.objects import Objects
from reconciler.services.settings import Settings
from reconciler.stores.objects.s3 import S3Access, S3Objects
from reconciler.stores.objects.synced import Synced, SyncedObjects


def environments() -> Path:
    """Return the folder of the three environments: the one this program's own lies in."""
    return Path(sys.prefix).parent


def objects(settings: Settings) -> Objects:
    """Return object storage, as the platform itself. SeaweedFS answers before anything is on the disk."""
    s3 = S3Objects(S3Access(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key))
    return SyncedObjects(s3, Synced.file_system_of(settings.layout.s3))


def pipelines(settings: Settings, objects: Objects) -> LocalPipelines:
    """Return the KFP local runner."""
    layout = settings.layout
    tasks_python = environments() / ".venv-tasks" / "bin" / "python"
    return LocalPipelines(layout.processes, tasks_python, objects, hidden=(layout.state, layout.sockets))
