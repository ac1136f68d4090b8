"""The run orchestrator: brings runs from the ledger through the engine to their terminal record."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, assert_never

from intents.tree import Tree
from reconciler.planning.events import Fact
from reconciler.planning.observations import OutputArtifact, RunObservation
from reconciler.planning.runs import (
    AwaitRegistration,
    Cancel,
    Claim,
    Finish,
    LookAgain,
    Record,
    Register,
    Registration,
    RegistrationState,
    Rest,
    RunAction,
    RunRow,
    RunState,
    Submit,
    next_action,
)
from reconciler.ports.catalog import Catalog
from reconciler.ports.errors import Ambiguous, Rejected, Stalled, Waiting
from reconciler.ports.objects import Objects
from reconciler.ports.pipelines import Pipelines, Submission
from reconciler.ports.requests import RequestQueue
from reconciler.ports.run_ledger import RunLedger, Step
from reconciler.workers.loop import Turned
from reconciler.workers.registration import NotAModel, model_version_request, store_model

RECORDS = "records"
LOOK_AGAIN_SECONDS = 0.3
"""How soon something that was just asked for is looked at again."""
ROOM_SECONDS = 1.0
UNANSWERED_SECONDS = (0.5, 60.0)
"""First and longest pause after submissions that got no answer; doubled in between."""


@dataclass
class RunOrchestrator:
    """Brings every run in the ledger one step further; safe to run in any number of processes."""

    ledger: RunLedger
    pipelines: Pipelines
    catalog: Catalog
    objects: Objects
    requests: RequestQueue
    advance: Callable[[], Awaitable[Tree]]
    reached: Callable[[str], None] = lambda _: None
    """Called between any two steps; crash tests end the process there."""

    async def turn(self) -> Turned:
        """Take one due run one step further."""
        async with self.ledger.lease_due() as run:
            if run is None:
                return Turned.IDLE
            try:
                await self._one_step(run)
            except (Waiting, Stalled) as error:
                await self.ledger.note(run, str(error))
                raise
            return Turned.ONE

    async def _one_step(self, run: RunRow) -> None:
        seen = await self.pipelines.find(run.run_id) if run.state.at_engine else None
        action = next_action(run, seen, await self._registration(run))
        self.reached(f"before-{type(action).__name__}")
        step = await self._perform(action, run)
        self.reached(f"after-{type(action).__name__}")
        if step is not None:
            await self.ledger.record(run, step)
            self.reached("after-record")
            await self._tidy(run, step)

    async def _registration(self, run: RunRow) -> Registration:
        if run.state is not RunState.REGISTERING:
            return Registration(RegistrationState.UNASKED)
        return await self.ledger.registration(run)

    async def _perform(self, action: RunAction, run: RunRow) -> Step | None:  # noqa: PLR0911 - one a kind of action
        """Do the one thing; return what to record of it, None where the ledger has it already."""
        match action:
            case Rest():
                return None
            case Claim():
                return await self._claim(run)
            case Submit(again):
                return await self._submit(run, again=again)
            case LookAgain(reason, after):
                return Step(run.state, LOOK_AGAIN_SECONDS if after is None else after, reason)
            case Cancel():
                await self.pipelines.cancel(run.run_id)
                return Step(run.state, LOOK_AGAIN_SECONDS)
            case Record(state, seen):
                return Step(
                    state,
                    0 if state is RunState.REGISTERING else self.pipelines.look_again,
                    seen=seen,
                    facts=_moved(run, state),
                )
            case Register(artifact):
                return await self._register(run, artifact)
            case AwaitRegistration():
                return Step(run.state, LOOK_AGAIN_SECONDS)
            case Finish(state, reason, seen):
                return await self._finish(run, state, reason, seen)
            case _:
                assert_never(action)

    async def _claim(self, run: RunRow) -> Step | None:
        """Write ahead that the run is about to be submitted; without room it waits, and says for what."""
        project = (await self.advance()).project(run.tenant, run.project)
        limit = project.spec.quota.concurrent_runs if project else 0
        if await self.ledger.claim(run, limit):
            return None
        return Step(RunState.CREATED, ROOM_SECONDS, reason=f"waits: {limit} runs of the project are under way")

    async def _submit(self, run: RunRow, *, again: bool) -> Step:
        try:
            package = await self.catalog.package(run.tenant, run.template, run.commit)
        except LookupError as error:
            return await self._finish(run, RunState.FAILED, f"the template is gone: {error}", None)
        await self.ledger.begin(run, await self.pipelines.delivery())
        self.reached("begun")
        try:
            await self.pipelines.submit(_submission(run, package))
        except Rejected as rejected:
            return await self._finish(run, RunState.FAILED, f"not submitted: {rejected}", None)
        except Ambiguous as ambiguous:
            first, longest = UNANSWERED_SECONDS
            pause = min(longest, first * 2 ** min(run.submissions, 30))
            return Step(RunState.SUBMITTING, pause, reason=str(ambiguous))
        return Step(RunState.SUBMITTED, self.pipelines.look_again, facts=_submitted(run, again=again))

    async def _register(self, run: RunRow, artifact: OutputArtifact) -> Step:
        try:
            stored = await store_model(self.objects, run, artifact)
        except NotAModel as error:
            return await self._finish(run, RunState.FAILED, f"the model was not registered: {error}", None)
        await self.requests.put(model_version_request(run, artifact, stored))
        return Step(RunState.REGISTERING, LOOK_AGAIN_SECONDS)

    async def _finish(self, run: RunRow, state: RunState, reason: str, seen: RunObservation | None) -> Step:
        """Write the terminal record, which outlives the ledger, then the row."""
        registered = await self._registration(run)
        model = registered_model(run, registered)
        record = terminal_record(run, state, reason, model, registered.commit)
        record["outputs"] = [asdict(output) for output in (seen.outputs if seen else run.outputs)]
        await self.objects.put(RECORDS, record_key(run), json.dumps(record, indent=1).encode())
        self.reached("after-terminal-record")
        return Step(state, 0, reason, model, seen, _moved(run, state, reason=reason, model=model))

    async def _tidy(self, run: RunRow, step: Step) -> None:
        """Let the engine forget a run whose outputs, logs and record are in object storage."""
        if step.state.terminal and run.state is not RunState.CREATED:
            await self.pipelines.forget(run.run_id)


def _submission(run: RunRow, package: bytes) -> Submission:
    return Submission(
        run_id=run.run_id,
        display_name=run.name,
        tenant=run.tenant,
        project=run.project,
        path=run.path,
        attempt=run.attempt,
        number=run.submissions + 1,
        template=run.template,
        package=package,
        parameters=dict(run.parameters),
    )


def _submitted(run: RunRow, *, again: bool) -> tuple[Fact, ...]:
    """Return the event; of one that begins again it is one also where the ledger has it as submitted already."""
    if again:
        return (_fact(run, RunState.SUBMITTED, reason="begun again: the platform was stopped before it had ended"),)
    return _moved(run, RunState.SUBMITTED)


def _moved(run: RunRow, state: RunState, **data: str) -> tuple[Fact, ...]:
    """Return the event of a state the run was not in before."""
    return () if state is run.state else (_fact(run, state, **data),)


def _fact(run: RunRow, state: RunState, **data: str) -> Fact:
    facts = {
        "uid": str(run.uid),
        "attempt": run.attempt,
        "run_id": run.run_id,
        **{key: value for key, value in data.items() if value},
    }
    return Fact(run.tenant, run.project, "run", state.value, run.name, run.commit, facts)


def registered_model(run: RunRow, registration: Registration) -> str:
    """Return `<model>@<version>` of a committed registration, or nothing."""
    if registration.state is not RegistrationState.COMMITTED:
        return ""
    return f"{run.register_model}@{registration.path.rpartition('/')[2].removesuffix('.yaml')}"


def record_key(run: RunRow) -> str:
    """Return where the terminal record of an attempt lies."""
    return f"runs/{run.uid}/{run.attempt}.json"


def terminal_record(run: RunRow, state: RunState, reason: str, model: str, model_commit: str) -> dict[str, Any]:
    """Return all that must be known of a finished attempt when the ledger is rebuilt."""
    return {
        "uid": str(run.uid),
        "attempt": run.attempt,
        "path": run.path,
        "commit": run.commit,
        "run_id": run.run_id,
        "template": run.template,
        "parameters": dict(run.parameters),
        "state": state.value,
        "reason": reason,
        "model": model,
        "model_commit": model_commit,
    }
