"""Port: an engine that executes compiled pipeline packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reconciler.planning.observations import EngineRunId, RunObservation


@dataclass(frozen=True)
class Submission:
    """One run to execute."""

    run_id: EngineRunId
    display_name: str
    tenant: str
    project: str
    package: bytes
    """The compiled KFP package, one or two YAML documents."""
    parameters: dict[str, Any]


class Pipelines(Protocol):
    """An engine that executes compiled pipeline packages.

    `find` never changes what the engine will do. `submit` may be called again with the same id only
    after `find` said absent; it raises `Ambiguous` when it cannot know whether the engine took the
    run, and the caller must `find` before anything else. A run's outputs are in object storage and
    complete before `find` says SUCCEEDED. Calls are bounded in time and raise `Waiting` when the
    engine cannot answer now.
    """

    async def find(self, run_id: EngineRunId) -> RunObservation:
        """Return the run as the engine shows it now; `absent` where it does not know the id."""
        ...

    async def submit(self, submission: Submission) -> None:
        """Hand over the run; on return the engine owns it and will find it again by its id."""
        ...

    async def cancel(self, run_id: EngineRunId) -> None:
        """Stop the run; `find` then says CANCELLED unless it had finished. Unknown ids are no error."""
        ...

    async def forget(self, run_id: EngineRunId) -> None:
        """Drop what the engine keeps of a finished run; its outputs and logs stay in object storage.

        From then on `submit` with this id starts nothing: a caller may have slept since its `find`.
        """
        ...

    async def kept(self) -> Sequence[EngineRunId]:
        """Return the runs of which the engine keeps something, finished or not."""
        ...

    async def logs(self, run_id: EngineRunId, task: str) -> bytes | None:
        """Return the log of one task so far, at most its last 1 MiB, or None where there is none."""
        ...
