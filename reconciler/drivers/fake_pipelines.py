"""A pipeline engine in memory, for tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from reconciler.planning.observations import (
    Delivery,
    EngineRunId,
    EngineState,
    OutputArtifact,
    RunObservation,
    TaskObservation,
)
from reconciler.ports.objects import Objects
from reconciler.ports.pipelines import ProjectKey, Submission


@dataclass(frozen=True)
class FakeOutput:
    """One output artifact: files by relative path, or one file under the empty path."""

    name: str
    schema: str
    files: Mapping[str, bytes]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FakeProgram:
    """What a package does on this engine: one task that logs, then fails, never ends, or has outputs."""

    task: str
    log: bytes = b""
    error: str = ""
    endless: bool = False
    outputs: tuple[FakeOutput, ...] = ()


@dataclass
class _Run:
    submission: Submission
    program: FakeProgram
    state: EngineState = EngineState.PENDING
    outputs: tuple[OutputArtifact, ...] = ()


class FakePipelines:
    """Implements `Pipelines` for one process: each `find` takes a run one state further.

    `programs` says, by the pipeline's name in a package, what it does; any other package succeeds with
    nothing. `executed` lists what was begun, in order: a run that is in it twice was executed twice.
    """

    look_again = 0.3

    def __init__(
        self,
        objects: Objects,
        programs: Mapping[str, FakeProgram] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.executed: list[EngineRunId] = []
        self._objects = objects
        self._programs = programs or {}
        self._clock = clock
        self._runs: dict[EngineRunId, _Run] = {}
        self._forgotten: set[EngineRunId] = set()
        self._logs: dict[tuple[EngineRunId, str], bytes] = {}

    async def find(self, run_id: EngineRunId) -> RunObservation:
        run = self._runs.get(run_id)
        if run is None:
            return RunObservation(run_id, self._clock(), absent=True)
        await self._advance(run)
        error = run.program.error if run.state is EngineState.FAILED else ""
        return RunObservation(
            run_id,
            self._clock(),
            state=run.state,
            tasks=(TaskObservation(run.program.task, run.state, error=error),),
            outputs=run.outputs,
            error=f"task {run.program.task} failed: {error}" if error else "",
        )

    async def submit(self, submission: Submission) -> None:
        if submission.run_id in self._runs or submission.run_id in self._forgotten:
            return
        program = self._programs.get(_pipeline_name(submission.package), FakeProgram("task"))
        self.executed.append(submission.run_id)
        self._runs[submission.run_id] = _Run(submission, program)
        self._logs[submission.run_id, program.task] = program.log

    async def delivery(self) -> Delivery:
        return Delivery.EXACTLY_ONCE

    async def cancel(self, run_id: EngineRunId) -> None:
        run = self._runs.get(run_id)
        if run is not None and not run.state.finished:
            run.state = EngineState.CANCELLED

    async def forget(self, run_id: EngineRunId) -> None:
        self._runs.pop(run_id, None)
        self._forgotten.add(run_id)

    async def kept(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:  # noqa: ARG002 - of all projects
        return list(self._runs)

    async def moved(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:  # noqa: ARG002 - there are none
        return ()

    async def doubled(self) -> Sequence[EngineRunId]:
        return ()

    async def end_duplicates(self, run_id: EngineRunId) -> int:  # noqa: ARG002 - of no run
        return 0

    async def logs(self, run_id: EngineRunId, task: str) -> bytes | None:
        return self._logs.get((run_id, task))

    async def _advance(self, run: _Run) -> None:
        if run.state is EngineState.PENDING:
            run.state = EngineState.RUNNING
        elif run.state is EngineState.RUNNING and not run.program.endless:
            if run.program.error:
                run.state = EngineState.FAILED
                return
            run.outputs = tuple([await self._upload(run, output) for output in run.program.outputs])
            run.state = EngineState.SUCCEEDED

    async def _upload(self, run: _Run, output: FakeOutput) -> OutputArtifact:
        owner = run.submission
        key = f"{owner.tenant}/{owner.project}/runs/{owner.run_id}/{run.program.task}/{output.name}"
        if "" not in output.files:
            key += "/"
        for path, body in output.files.items():
            await self._objects.put("artifacts", key + path, body)
        uri = f"s3://artifacts/{key}"
        return OutputArtifact(run.program.task, output.name, uri, output.schema, dict(output.metadata))


def _pipeline_name(package: bytes) -> str:
    document = next(yaml.safe_load_all(package), None)
    return str(document["pipelineInfo"]["name"]) if isinstance(document, dict) else ""
