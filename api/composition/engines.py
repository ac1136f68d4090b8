"""What runs and serves, and where its bytes lie."""

from __future__ import annotations

import sys
from pathlib import Path

from reconciler.drivers.local.pipelines import LocalPipelines
from reconciler.services.settings import Settings
from reconciler.stores.objects.s3 import S3Access, S3Objects


def environments() -> Path:
    """Return the folder of the three environments: the one this program's own lies in."""
    return Path(sys.prefix).parent


def objects(settings: Settings) -> S3Objects:
    """Return object storage, as the platform itself."""
    return S3Objects(S3Access(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key))


def pipelines(settings: Settings) -> LocalPipelines:
    """Return the KFP local runner."""
    layout = settings.layout
    tasks_python = environments() / ".venv-tasks" / "bin" / "python"
    return LocalPipelines(layout.processes, tasks_python, objects(settings), hidden=(layout.state, layout.sockets))
