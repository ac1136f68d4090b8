"""What the steps of a KFP run left in object storage, below the run's pipeline root.

KFP's launcher puts it at `<root>/<pipeline>/<run id>/<task>/<salt>/<output>`, an object or a folder of them, and beside
the outputs of a step its log, as `executor-logs`, with the number of the try behind it where a step is tried again
(backend/src/v2/metadata/client.go and driver/driver.go of 2.17). It does so before the Workflow ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from reconciler.drivers.kubernetes.kfp_runs import Json, outputs_by_task, pipeline_of
from reconciler.planning.observations import OutputArtifact
from reconciler.ports.objects import Objects

LOG = "executor-logs"
LOG_BYTES = 1 << 20


async def outputs_of(objects: Objects, run: Json) -> tuple[OutputArtifact, ...]:
    """Return the output artifacts that a run declares and that are there."""
    bucket, prefix = _place(run)
    declared = outputs_by_task(run)
    keys = [each.key.removeprefix(prefix) for each in await objects.list(bucket, prefix)]
    return tuple(
        OutputArtifact(task, output, f"s3://{bucket}/{prefix}{path}", declared[task][output])
        for task, output, path in _artifacts(keys)
        if output in declared.get(task, {})
    )


async def log_of(objects: Objects, run: Json, task: str) -> bytes | None:
    """Return the end of a step's newest log, or None where there is none yet."""
    bucket, prefix = _place(run)
    found = await objects.list(bucket, f"{prefix}{task}/")
    logs = [each.key for each in found if each.key.rpartition("/")[2].startswith(LOG)]
    body = await objects.get(bucket, max(logs, key=_try)) if logs else None
    return None if body is None else body[-LOG_BYTES:]


def _try(key: str) -> tuple[int, str]:
    number = key.rpartition("/")[2].removeprefix(LOG).removeprefix("-")
    return int(number) if number.isdecimal() else -1, key


def _place(run: Json) -> tuple[str, str]:
    """Return the bucket and the prefix of everything that the steps of a run left."""
    config: dict[str, Any] = run.get("runtime_config", {})
    root = urlsplit(config.get("pipeline_root", ""))
    name = pipeline_of(run).get("pipelineInfo", {}).get("name", "")
    return root.netloc, f"{root.path.strip('/')}/{name}/{run['run_id']}/"


def _artifacts(keys: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield task, output and path of each artifact; the path of one that is a folder ends in `/`."""
    seen = set()
    for key in keys:
        task, salt, output, *below = [*key.split("/", 3), "", ""][:4]
        path = f"{task}/{salt}/{output}" + ("/" if below and below[0] else "")
        if output and path not in seen:
            seen.add(path)
            yield task, output, path
