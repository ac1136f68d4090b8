"""Port: an engine that executes compiled pipeline packages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from reconciler.planning.observations import Delivery, EngineRunId, RunObservation


class ProjectKey(NamedTuple):
    """A project of a tenant."""

    tenant: str
    project: str


@dataclass(frozen=True)
class Submission:
    """One run to execute."""

    run_id: EngineRunId
    display_name: str
    tenant: str
    project: str
    path: str
    """The intent that asks for it."""
    attempt: int
    number: int
    """How often this run was submitted, with this time."""
    template: str
    """`name@version`."""
    package: bytes
    """The compiled KFP package, one or two YAML documents."""
    parameters: dict[str, Any]


class Pipelines(Protocol):
    """An engine that executes compiled pipeline packages.

    `find` never changes what the engine will do. `submit` may be called again with the same id only
    after `find` said absent; it raises `Ambiguous` when it cannot know whether the engine took the
    run, and the caller must `find` before anything else. A run's outputs are in object storage and
    complete before `find` says SUCCEEDED. Calls are bounded in time and raise `Waiting` when the
    engine cannot answer now, `Stalled` when it refuses whoever asks.
    """

    look_again: float
    """Seconds until a run under way is worth another `find`, where `moved` says nothing sooner."""

    async def find(self, run_id: EngineRunId) -> RunObservation:
        """Return the run as the engine shows it now; `absent` where it does not know the id."""
        ...

    async def submit(self, submission: Submission) -> None:
        """Hand over the run; on return the engine owns it and will find it again by its id.

        Raises `Rejected`, before anything was sent where that can be known, for what the engine will never take.
        """
        ...

    async def delivery(self) -> Delivery:
        """Return what the engine can promise of a submission that is made now."""
        ...

    async def cancel(self, run_id: EngineRunId) -> None:
        """Stop the run; `find` then says CANCELLED unless it had finished. Unknown ids are no error."""
        ...

    async def forget(self, run_id: EngineRunId) -> None:
        """Let go of a finished run: it is kept no more; its outputs and logs stay in object storage.

        From then on `submit` with this id starts nothing: a caller may have slept since its `find`. An engine with a
        history of its own may go on to `find` the run as it ended.
        """
        ...

    async def kept(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:
        """Return the runs, of these projects at least, of which the engine keeps something, finished or not."""
        ...

    async def moved(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:
        """Return the runs of these projects that changed since the last call, by one look at each project.

        An engine whose runs are looked at one by one, every `look_again` seconds, has none to return.
        """
        ...

    async def doubled(self) -> Sequence[EngineRunId]:
        """Return the runs, whoever's, of which there is more than one execution."""
        ...

    async def end_duplicates(self, run_id: EngineRunId) -> int:
        """End all but one execution of a run, and return how many were ended."""
        ...

    async def logs(self, run_id: EngineRunId, task: str) -> bytes | None:
        """Return the log of one task so far, at most its last 1 MiB, or None where there is none."""
        ...
