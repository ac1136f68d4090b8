"""The ledger of runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from psycopg.rows import DictRow

from reconciler.planning.events import Fact
from reconciler.planning.observations import Delivery, EngineRunId, OutputArtifact, TaskObservation
from reconciler.planning.runs import Registration, RegistrationState, RunRow, RunState, RunUid
from reconciler.ports.errors import Conflict
from reconciler.ports.pipelines import ProjectKey
from reconciler.ports.requests import RequestState
from reconciler.ports.run_ledger import Step
from reconciler.stores.ledger.database import Connection, Database, statements
from reconciler.stores.ledger.events import add_facts
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.values import as_json, as_text

SQL, CURSOR_SQL = statements("runs"), statements("cursors")

LEASE_SECONDS = 10.0
"""Longer than any one step of a run; a killed orchestrator's run is taken up again after this."""


class LedgerRuns:
    """The RunLedger port."""

    def __init__(self, database: Database) -> None:
        """Use the workers' connections."""
        self._database = database
        self._requests = LedgerQueue(database)
        self._given_back: set[tuple[RunUid, int, int]] = set()
        """Leases that ended with what was noted under them: giving each back once more costs a transaction a step."""

    async def cursor(self) -> str | None:
        """Return the newest commit of main whose runs are in the ledger."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(CURSOR_SQL["get"], {"name": "runs"})).fetchone()
        return None if row is None else str(row["commit"])

    async def admit(self, commit: str, runs: Sequence[RunRow], removed: Sequence[str]) -> None:
        """In one transaction: new rows with `run.created`, cancellations, removals by path, the cursor."""
        async with self._database.transaction() as connection:
            await admit(connection, commit, runs, [*removed, *(run.path for run in runs if run.cancelled)])

    @asynccontextmanager
    async def lease_due(self) -> AsyncIterator[RunRow | None]:
        """Lease one run that is due and that nobody holds; None where there is none."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(SQL["lease_due"], {"seconds": LEASE_SECONDS})).fetchone()
        if row is None:
            yield None
            return
        run = run_from_row(row)
        try:
            yield run
        finally:
            if _lease(run) in self._given_back:
                self._given_back.discard(_lease(run))
            else:
                await self._release(run)

    async def claim(self, run: RunRow, limit: int) -> bool:
        """Write ahead `submitting` unless `limit` runs of the project are under way; return whether it was."""
        project = {"tenant": run.tenant, "project": run.project}
        async with self._database.transaction() as connection:
            await connection.execute(SQL["lock_project"], project)
            row = await (await connection.execute(SQL["under_way"], project)).fetchone()
            if row is not None and row["count"] >= limit:
                return False
            done = await connection.execute(SQL["claim"], _key(run))
        self._given_back.add(_lease(run))
        return done.rowcount == 1

    async def begin(self, run: RunRow, delivery: Delivery) -> None:
        """Write ahead that the run is handed to the engine now, and what the engine promises; raises Conflict."""
        async with self._database.transaction() as connection:
            done = await connection.execute(SQL["begin"], {**_key(run), "delivery": delivery.value})
            _refuse_old_fence(run, done.rowcount)

    async def record(self, run: RunRow, step: Step) -> None:
        """Note a step of a leased run; raises Conflict when the lease went to another."""
        outputs = None if step.seen is None else as_json([asdict(item) for item in step.seen.outputs])
        row = {
            **_key(run),
            "state": step.state.value,
            "reason": as_text(step.reason),
            "model": step.model,
            "outputs": outputs,
            "due_in": step.due_in,
        }
        async with self._database.transaction() as connection:
            done = await connection.execute(SQL["record"], row)
            _refuse_old_fence(run, done.rowcount)
            for task in step.seen.tasks if step.seen else ():
                await connection.execute(SQL["put_task"], _task_row(run, task))
            await add_facts(connection, step.facts)
        self._given_back.add(_lease(run))

    async def note(self, run: RunRow, reason: str) -> None:
        """Say why a leased run gets no further for now; the next record says something else."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["note"], {**_key(run), "reason": as_text(reason)})

    async def finished(self, run_ids: Sequence[EngineRunId]) -> Sequence[EngineRunId]:
        """Return those among the engine's runs that have ended; one that no row knows has not."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(SQL["finished"], {"run_ids": list(run_ids)})).fetchall()
        return [EngineRunId(row["run_id"]) for row in rows]

    async def projects(self) -> Sequence[ProjectKey]:
        """Return the projects with runs that may be at the engine, or ended within the last day."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(SQL["projects"])).fetchall()
        return [ProjectKey(row["tenant"], row["project"]) for row in rows]

    async def wake(self, run_ids: Sequence[EngineRunId]) -> None:
        """Let these runs be looked at now, as far as they are under way."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["wake"], {"run_ids": list(run_ids)})

    async def known(self, run_ids: Sequence[EngineRunId]) -> Sequence[EngineRunId]:
        """Return those among the engine's runs that are the ledger's."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(SQL["known"], {"run_ids": list(run_ids)})).fetchall()
        return [EngineRunId(row["run_id"]) for row in rows]

    async def duplicated(self, run_id: EngineRunId, ended: int) -> None:
        """Note with `run.duplicated` that so many further executions of a run were found and ended."""
        async with self._database.transaction() as connection:
            row = {"run_id": run_id, "ended": ended}
            done = await (await connection.execute(SQL["duplicated"], row)).fetchone()
            if done is not None:
                run = run_from_row(done)
                data = {"uid": str(run.uid), "attempt": run.attempt, "run_id": run.run_id, "ended": ended}
                fact = Fact(run.tenant, run.project, "run", "duplicated", run.name, run.commit, data)
                await add_facts(connection, [fact])

    async def registration(self, run: RunRow) -> Registration:
        """Return what became of the request for the run's ModelVersion."""
        status = await self._requests.status(run.registration_id)
        if status is None:
            return Registration(RegistrationState.UNASKED)
        match status.state:
            case RequestState.WAITING:
                return Registration(RegistrationState.WAITING)
            case RequestState.COMMITTED:
                return Registration(RegistrationState.COMMITTED, status.commit, status.paths[0])
            case _:  # refused or parked: what a worker asks never becomes a change
                reason = "; ".join(f"{item.code}: {item.message}" for item in status.problems)
                return Registration(RegistrationState.REFUSED, reason=reason)

    async def _release(self, run: RunRow) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(SQL["release"], _key(run))


def _lease(run: RunRow) -> tuple[RunUid, int, int]:
    return run.uid, run.attempt, run.fence


def _key(run: RunRow) -> dict[str, Any]:
    return {"uid": run.uid, "attempt": run.attempt, "fence": run.fence}


def _refuse_old_fence(run: RunRow, changed: int) -> None:
    if changed != 1:
        raise Conflict(f"run {run.uid}: the lease went to another orchestrator")


async def admit(connection: Connection, commit: str, runs: Sequence[RunRow], cancelled: Sequence[str]) -> None:
    """In the caller's transaction: new rows with `run.created`, cancellations by path, the cursor."""
    for run in runs:
        await _admit_one(connection, run)
    for path in cancelled:
        await connection.execute(SQL["cancel"], {"path": path})
    await connection.execute(CURSOR_SQL["set"], {"name": "runs", "commit": commit})


def to_row(run: RunRow) -> dict[str, Any]:
    """Return what the ledger keeps of a run that is asked for."""
    return {
        **_key(run),
        "tenant": run.tenant,
        "project": run.project,
        "name": run.name,
        "path": run.path,
        "commit": run.commit,
        "template": run.template,
        "parameters": as_json(run.parameters),
        "register_model": run.register_model,
        "register_output": run.register_output,
        "cancelled": run.cancelled,
        "requested_by": as_text(run.requested_by),
        "run_id": run.run_id,
    }


async def _admit_one(connection: Connection, run: RunRow) -> None:
    added = await connection.execute(SQL["admit"], to_row(run))
    if added.rowcount == 1:
        data = {"uid": str(run.uid), "attempt": run.attempt, "template": run.template, "path": run.path}
        await add_facts(connection, [Fact(run.tenant, run.project, "run", "created", run.name, run.commit, data)])


def run_from_row(row: DictRow) -> RunRow:
    """Read a run."""
    return RunRow(
        uid=RunUid(row["uid"]),
        attempt=row["attempt"],
        tenant=row["tenant"],
        project=row["project"],
        name=row["name"],
        path=row["path"],
        commit=row["commit"],
        template=row["template"],
        parameters=row["parameters"],
        register_model=row["register_model"],
        register_output=row["register_output"],
        cancelled=row["cancelled"],
        state=RunState(row["state"]),
        fence=row["fence"],
        requested_by=row["requested_by"],
        outputs=tuple(OutputArtifact(**item) for item in row["outputs"]),
        submissions=row["submissions"],
        submitted_ago=row.get("submitted_ago"),
        delivery=Delivery(row["delivery"]),
    )


def _task_row(run: RunRow, task: TaskObservation) -> dict[str, Any]:
    return {
        "uid": run.uid,
        "attempt": run.attempt,
        "tenant": run.tenant,
        "name": task.name,
        "state": task.state.value,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "error": as_text(task.error),
        "metrics": as_json(task.metrics),
    }
