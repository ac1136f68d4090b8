"""Pipelines on this machine: KFP's local runner, one child process a run."""

from __future__ import annotations

import asyncio
import re
import secrets
import subprocess
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.drivers.local.isolation import namespaced
from reconciler.drivers.local.run_folder import Owner, RunFolder, kept
from reconciler.drivers.local.run_record import Uploaded, interpret
from reconciler.drivers.local.run_upload import RunUpload
from reconciler.planning.observations import Delivery, EngineRunId, EngineState, RunObservation
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.objects import Objects
from reconciler.ports.pipelines import ProjectKey, Submission
from reconciler.process_identity import end_group, identity_of

_CHILD = Path(__file__).with_name("run_child.py")
_CANCEL_GRACE_SECONDS = 2.0
_TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Where a run's outputs and logs went, for logs asked after the folder is gone.
_OWNERS_BUCKET = "records"


class LocalPipelines:
    """Implements `Pipelines` with a folder and a process per run; the folders are all the state there is.

    Any number of instances, in any processes of this machine and user, may work on the same `proc_dir`:
    the claim in a folder decides which process runs it, so a run is executed at most once (see
    run_folder.py). Runs are their own sessions and outlive whoever submitted them. Where the system allows it
    (isolation.py) they do not see the folders `hidden`, such as the platform's state and sockets.
    """

    look_again = 0.3
    """A look takes under a millisecond."""

    def __init__(
        self,
        proc_dir: Path,
        tasks_python: Path,
        objects: Objects,
        *,
        hidden: Sequence[Path],
        artifacts_bucket: str = "artifacts",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._proc_dir = proc_dir.absolute()
        # Not resolved: a virtual environment's interpreter is a link, and the link says which environment.
        self._tasks_python = tasks_python.absolute()
        # Other runs are always hidden; outer folders first, so that they do not cover what comes later.
        self._hidden = sorted({self._proc_dir, *(path.absolute() for path in hidden)})
        self._objects = objects
        self._bucket = artifacts_bucket
        self._clock = clock
        self._children: list[subprocess.Popen[bytes]] = []

    async def find(self, run_id: EngineRunId) -> RunObservation:
        """Return where the run stands; what has finished is uploaded before it is reported so."""
        self._reap()
        folder = RunFolder(self._proc_dir, run_id)
        seen = await asyncio.to_thread(folder.snapshot)
        observation = interpret(seen, run_id, self._clock())
        if observation.absent or not observation.state.finished:
            return observation
        uploaded = folder.uploaded() or await self._upload(folder, observation)
        if uploaded.refused:
            return replace(observation, state=EngineState.FAILED, error=uploaded.refused)
        return replace(observation, outputs=tuple(output.to_artifact() for output in uploaded.outputs))

    async def submit(self, submission: Submission) -> None:
        """Start the run's process and make the run its own; a run that has been claimed is left alone."""
        self._reap()
        await asyncio.to_thread(self._start, RunFolder(self._proc_dir, submission.run_id), submission)

    async def delivery(self) -> Delivery:
        """Return the promise of the claim."""
        return Delivery.EXACTLY_ONCE

    async def cancel(self, run_id: EngineRunId) -> None:
        """Note that the run is not wanted, then end its processes. Whoever submits it now sees the note."""
        folder = RunFolder(self._proc_dir, run_id)
        if not folder.path.exists():
            return
        folder.mark_cancelled()
        await _end(folder)
        self._reap()

    async def forget(self, run_id: EngineRunId) -> None:
        """Remove the run's folder. Raises `Waiting` while the run has not finished and been uploaded."""
        folder = RunFolder(self._proc_dir, run_id)
        if folder.claimed and folder.uploaded() is None:
            raise Waiting(f"run {run_id} has not been uploaded yet: forget what find has seen finished")
        await asyncio.to_thread(folder.remove)

    async def kept(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:  # noqa: ARG002 - of all projects
        """Return the runs that have a folder."""
        return await asyncio.to_thread(kept, self._proc_dir)

    async def moved(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:  # noqa: ARG002 - there are none
        """Return none: runs are looked at one by one."""
        return ()

    async def doubled(self) -> Sequence[EngineRunId]:
        """Return none: there is one claim a run."""
        return ()

    async def end_duplicates(self, run_id: EngineRunId) -> int:  # noqa: ARG002 - of no run
        """Return none: there is one claim a run."""
        return 0

    async def logs(self, run_id: EngineRunId, task: str) -> bytes | None:
        """Return the log as it grows, or the one in object storage once the folder is gone."""
        if not _TASK_NAME.fullmatch(task):
            return None
        live = RunFolder(self._proc_dir, run_id).log(task)
        if live is not None:
            return live
        owner = await self._objects.get(_OWNERS_BUCKET, _owner_key(run_id))
        if owner is None:
            return None
        prefix = _prefix(Owner.model_validate_json(owner), run_id)
        return await self._objects.get(self._bucket, f"{prefix}/{task}/task.log")

    def _start(self, folder: RunFolder, submission: Submission) -> None:
        if folder.claimed or folder.cancelled or folder.forgotten:
            return
        folder.prepare(submission)
        token = secrets.token_hex(16)
        child = self._spawn(folder, token)
        try:
            identity = identity_of(child.pid)
            if identity is None:
                raise Stalled(f"the tasks' Python ended at once: see {folder.path}/child.log, run `make setup`")
            folder.claim(identity, token)
        finally:
            # The child has waited for this; now it reads whose claim stands and begins, or ends.
            child.stdin.close()  # type: ignore[union-attr]  # stdin is a pipe

    def _spawn(self, folder: RunFolder, token: str) -> subprocess.Popen[bytes]:
        with (folder.path / "child.log").open("ab") as log:
            try:
                child = subprocess.Popen(
                    self._command(folder, token),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=folder.path / "tmp",
                    env=_environment(self._tasks_python, folder.path / "tmp"),
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise Stalled(f"{self._tasks_python} is not there: run `make setup`") from error
        self._children.append(child)
        return child

    def _command(self, folder: RunFolder, token: str) -> list[str | Path]:
        command: list[str | Path] = [self._tasks_python, "-I", _CHILD, folder.path, token]
        prefix = namespaced()
        return [*prefix, *command, *self._hidden] if prefix else command

    async def _upload(self, folder: RunFolder, observation: RunObservation) -> Uploaded:
        """Put logs, and the outputs of a run that succeeded, into object storage; then note that they are."""
        await _end(folder)
        owner = folder.owner()
        upload = RunUpload(folder, self._objects, self._bucket, _prefix(owner, observation.run_id))
        await upload.logs()
        body = owner.model_dump_json().encode()
        await self._objects.put(_OWNERS_BUCKET, _owner_key(observation.run_id), body)
        result = folder.snapshot().result
        uploaded = Uploaded()
        if observation.state is EngineState.SUCCEEDED and result is not None:
            uploaded = await upload.outputs(result)
        folder.mark_uploaded(uploaded)
        return uploaded

    def _reap(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]


async def _end(folder: RunFolder) -> None:
    """End what lives of the run's processes; also what a task left running behind it."""
    process = folder.process()
    if process is not None:
        await end_group(process, _CANCEL_GRACE_SECONDS)


def _prefix(owner: Owner, run_id: EngineRunId) -> str:
    return f"{owner.tenant}/{owner.project}/runs/{run_id}"


def _owner_key(run_id: EngineRunId) -> str:
    return f"local-runs/{run_id}.json"


def _environment(tasks_python: Path, tmp: Path) -> dict[str, str]:
    """Return all a run sees of our environment: nothing. Steps inherit it, so no secret may be in it."""
    return {
        "PATH": f"{tasks_python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp),
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        # Runs share the machine with serving; several runs with a thread per core each would crowd it out.
        "OMP_NUM_THREADS": "1",
        # onnxruntime reports home by default since 1.29.
        "ORT_DISABLE_TELEMETRY": "1",
    }
