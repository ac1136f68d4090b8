"""Pipelines on a cluster: Kubeflow Pipelines 2.17.

A run is made with the id the ledger derived. That id is no idempotency key: KFP makes the Workflow first and its row
second, so a second POST makes a second Workflow, and a 404 after a lost answer proves nothing. What does:

- Kubernetes names each Workflow after its run (renderers/admission.py) and so refuses the second. Where that policy is
  not installed the promise is at-least-once, and executions beyond the first are ended when they are seen.
- A run is absent only if KFP has no row *and* Kubernetes no Workflow of it. A Workflow without a row is unsettled: the
  row is on its way, or KFP's agent deletes the Workflow after two minutes and the run begins again.
- Every answer after which the run may exist is Ambiguous, and leads back to `find`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from intents.tree import Tree
from reconciler.drivers.kubernetes.kfp_api import KfpApi
from reconciler.drivers.kubernetes.kfp_experiments import Experiments
from reconciler.drivers.kubernetes.kfp_outputs import log_of, outputs_of
from reconciler.drivers.kubernetes.kfp_runs import CANCELING, Json, fingerprint, observed, run_state
from reconciler.drivers.kubernetes.kfp_submission import Bodies
from reconciler.drivers.kubernetes.workflows import Workflow, Workflows
from reconciler.planning.observations import Delivery, EngineRunId, EngineState, RunObservation
from reconciler.ports.errors import Waiting
from reconciler.ports.objects import Objects
from reconciler.ports.pipelines import ProjectKey, Submission

POLICY_SECONDS = 30.0
"""How long what was seen of the admission policy is believed."""
LOST = "lost: its Workflow is gone, and KFP does not know how it ended"


@dataclass
class _Policy:
    installed: bool = False
    until: float = 0.0


class KfpPipelines:
    """Implements `Pipelines` on one KFP server. Any number of instances, in any processes, may work on the same one."""

    look_again = 300.0
    """`moved` sees every change of what is not archived; this is for the rest."""

    def __init__(
        self,
        api: KfpApi,
        workflows: Workflows,
        objects: Objects,
        tree: Callable[[], Tree],
        cluster: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Act on the server behind `api` for the projects on `cluster`; `tree` gives the intents as they are now."""
        self._api = api
        self._workflows = workflows
        self._objects = objects
        self._tree = tree
        self._clock = clock
        self._bodies = Bodies(cluster)
        self._experiments = Experiments(api)
        self._policy = _Policy()
        self._seen: dict[ProjectKey, dict[EngineRunId, object]] = {}

    async def find(self, run_id: EngineRunId) -> RunObservation:
        """Return the run by its row, or else by its Workflow."""
        run = await self._api.run(run_id)
        if run is None:
            return _without_row(run_id, await self._workflows.of_run(run_id))
        found = observed(run, datetime.now(UTC))
        if found.state.finished:
            return await self._ended(run, found)
        return await self._abandoned(run_id) if await self._has_no_workflow(run_id) else found

    async def submit(self, submission: Submission) -> None:
        """Make the run in its project's experiment."""
        body = self._bodies.body(submission, self._tree())
        project = ProjectKey(submission.tenant, submission.project)
        experiment = await self._experiments.of(project)
        try:
            await self._api.create_run({**body, "experiment_id": experiment})
        except LookupError as error:
            self._experiments.forget(project)
            raise Waiting(f"the experiment of {submission.tenant}/{submission.project} is gone: {error}") from error

    async def delivery(self) -> Delivery:
        """Return what the admission policy allows to promise."""
        if self._clock() >= self._policy.until:
            self._policy = _Policy(await self._workflows.named_after_runs(), self._clock() + POLICY_SECONDS)
        return Delivery.EXACTLY_ONCE if self._policy.installed else Delivery.AT_LEAST_ONCE

    async def cancel(self, run_id: EngineRunId) -> None:
        """Terminate the run; what KFP could not tell Kubernetes is asked for again by whoever still sees it run."""
        await self._api.terminate(run_id)

    async def forget(self, run_id: EngineRunId) -> None:
        """Archive the run: it stays in KFP's history, so that its id is never free. Raises Waiting while it goes on."""
        run = await self._api.run(run_id)
        if run is None:
            return
        if not run_state(run).finished:
            raise Waiting(f"run {run_id} has not ended yet: forget what find has seen finished")
        await self._api.archive(run_id)

    async def kept(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:
        """Return the runs of these projects that are not archived."""
        return [EngineRunId(run["run_id"]) for project in projects for run in await self._list(project)]

    async def moved(self, projects: Collection[ProjectKey]) -> Sequence[EngineRunId]:
        """Return the runs whose state, or that of a task, is another than at the last call, and those that are gone."""
        found: list[EngineRunId] = []
        for project in projects:
            now = {EngineRunId(run["run_id"]): fingerprint(run) for run in await self._list(project)}
            before = self._seen.get(project, {})
            found += [run_id for run_id in before.keys() | now.keys() if before.get(run_id) != now.get(run_id)]
            self._seen[project] = dict(now)
        self._seen = {project: self._seen[project] for project in projects}
        return found

    async def doubled(self) -> Sequence[EngineRunId]:
        """Return the runs, those of others among them, that have more than one Workflow."""
        counts = Counter(each.run_id for each in await self._workflows.of_runs())
        return [EngineRunId(run_id) for run_id, count in counts.items() if count > 1]

    async def end_duplicates(self, run_id: EngineRunId) -> int:
        """Delete all Workflows of a run but the oldest.

        They are deleted, not terminated: what KFP's agent reports of a terminated one would stand for the run.
        """
        every = sorted(await self._workflows.of_run(run_id) or (), key=lambda each: (each.created, each.name))
        for workflow in every[1:]:
            await self._workflows.delete(workflow)
        return len(every[1:])

    async def logs(self, run_id: EngineRunId, task: str) -> bytes | None:
        """Return the log that KFP's launcher stored when the task's step ended."""
        run = await self._api.run(run_id)
        return None if run is None or "/" in task else await log_of(self._objects, run, task)

    def close(self) -> None:
        """End the threads."""
        self._api.close()

    async def _list(self, project: ProjectKey) -> list[Json]:
        experiment = await self._experiments.find(project)
        try:
            return list(await self._api.runs(experiment)) if experiment else []
        except LookupError:
            self._experiments.forget(project)
            return []

    async def _ended(self, run: Json, found: RunObservation) -> RunObservation:
        """Return the observation of a run that has ended, completed by what its row does not say."""
        if found.state is EngineState.SUCCEEDED:
            return replace(found, outputs=await outputs_of(self._objects, run))
        if found.state is EngineState.FAILED and await self._workflows.terminated(found.run_id):
            return replace(found, state=EngineState.CANCELLED, error="")
        return found

    async def _has_no_workflow(self, run_id: EngineRunId) -> bool:
        """Whether a run goes on in name only; where Kubernetes cannot say, KFP's word stands."""
        try:
            return await self._workflows.of_run(run_id) == []
        except Waiting:
            return False

    async def _abandoned(self, run_id: EngineRunId) -> RunObservation:
        """Return how a run without a Workflow ended, read again: it may have been told meanwhile."""
        run = await self._api.run(run_id)
        if run is None:
            return RunObservation(run_id, datetime.now(UTC), absent=True)
        found = observed(run, datetime.now(UTC))
        if found.state.finished:
            return await self._ended(run, found)
        if run.get("state") == CANCELING:
            return replace(found, state=EngineState.CANCELLED)
        return replace(found, state=EngineState.FAILED, error=LOST)


def _without_row(run_id: EngineRunId, workflows: Sequence[Workflow] | None) -> RunObservation:
    now = datetime.now(UTC)
    if not workflows:
        return RunObservation(run_id, now, absent=True)
    name = f"{workflows[0].namespace}/{workflows[0].name}"
    why = f"KFP has made the Workflow {name} and no row of the run; it adds one, or takes the Workflow away"
    return RunObservation(run_id, now, unsettled=why)
