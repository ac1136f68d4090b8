"""Port: the ledger of runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from reconciler.planning.events import Fact
from reconciler.planning.observations import Delivery, EngineRunId, RunObservation
from reconciler.planning.runs import Registration, RunRow, RunState
from reconciler.ports.pipelines import ProjectKey


@dataclass(frozen=True)
class Step:
    """What is recorded of one turn of a run, in one transaction with its events."""

    state: RunState
    due_in: float
    """Seconds until the run is looked at again."""
    reason: str = ""
    model: str = ""
    """`<model>@<version>` once registered."""
    seen: RunObservation | None = None
    facts: tuple[Fact, ...] = ()


class RunLedger(Protocol):
    """One row a run uid and attempt; everything that was decided about it and seen of it.

    A leased run is worked on by one orchestrator; the lease outlives the transaction, so that an
    orchestrator that dies gives the run back when it ends. `record` with an old fence raises Conflict.
    """

    async def cursor(self) -> str | None:
        """Return the newest commit of main whose runs are in the ledger."""
        ...

    async def admit(self, commit: str, runs: Sequence[RunRow], removed: Sequence[str]) -> None:
        """In one transaction: new rows with `run.created`, cancellations, removals by path, the cursor."""
        ...

    def lease_due(self) -> AbstractAsyncContextManager[RunRow | None]:
        """Lease one run that is due and that nobody holds; None where there is none."""
        ...

    async def claim(self, run: RunRow, limit: int) -> bool:
        """Write ahead `submitting` unless `limit` runs of the project are under way; return whether it was."""
        ...

    async def begin(self, run: RunRow, delivery: Delivery) -> None:
        """Write ahead that the run is handed to the engine now, and what the engine promises; raises Conflict."""
        ...

    async def record(self, run: RunRow, step: Step) -> None:
        """Note a step of a leased run; raises Conflict when the lease went to another."""
        ...

    async def note(self, run: RunRow, reason: str) -> None:
        """Say why a leased run gets no further for now; the next record says something else."""
        ...

    async def finished(self, run_ids: Sequence[EngineRunId]) -> Sequence[EngineRunId]:
        """Return those among the engine's runs that have ended; one that no row knows has not."""
        ...

    async def projects(self) -> Sequence[ProjectKey]:
        """Return the projects with runs that may be at the engine, or ended within the last day."""
        ...

    async def wake(self, run_ids: Sequence[EngineRunId]) -> None:
        """Let these runs be looked at now, as far as they are under way."""
        ...

    async def known(self, run_ids: Sequence[EngineRunId]) -> Sequence[EngineRunId]:
        """Return those among the engine's runs that are the ledger's."""
        ...

    async def duplicated(self, run_id: EngineRunId, ended: int) -> None:
        """Note with `run.duplicated` that so many further executions of a run were found and ended."""
        ...

    async def registration(self, run: RunRow) -> Registration:
        """Return what became of the request for the run's ModelVersion."""
        ...
