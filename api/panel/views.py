"""What the pages of one tenant's project show, gathered from the tree, the ledger and the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.http.caller import Caller
from api.http.context import ApiContext
from api.http.runs import find_run
from api.panel.changes import ChangeCard, open_changes
from api.panel.commits import with_readable_commits
from api.panel.rendering import tail
from api.panel.trails import Stop, trail
from intents.documents import Document
from intents.kinds import ModelDeploymentSpec, ModelVersionSpec, RolloutSpec
from intents.kinds.rollout import Hold
from intents.tree import Tree
from reconciler.planning.events import Event
from reconciler.planning.observations import OutputArtifact
from reconciler.planning.rollouts import arrived
from reconciler.planning.serving import Condition, Served
from reconciler.ports.errors import Waiting
from reconciler.ports.reads import Page, RunView, TaskView

RUNS_SHOWN = 12
EVENTS_SHOWN = 30
EVENTS_READ = 200
LOG_LINES = 60
FINISHED = frozenset({"succeeded", "failed", "cancelled", "unknown"})


@dataclass(frozen=True)
class PartLine:
    """One part of the platform, or one server of the tenant's own."""

    name: str
    health: str
    reason: str
    memory: int
    restarts: int


@dataclass(frozen=True)
class Health:
    """The platform as its members see it; `healthy` is None where the collector did not say."""

    healthy: bool | None
    parts: tuple[PartLine, ...]
    servers: tuple[PartLine, ...]
    """The tenant's own model servers."""


@dataclass(frozen=True)
class TaskLine:
    """A task with how long it has taken."""

    task: TaskView
    seconds: float | None


@dataclass(frozen=True)
class RunLine:
    """A run with its tasks, and how long it has taken."""

    run: RunView
    tasks: tuple[TaskLine, ...]
    seconds: float

    @property
    def busy(self) -> bool:
        return self.run.state not in FINISHED


@dataclass(frozen=True)
class TrafficShare:
    """One live version: its share of the traffic, and the share of those before it."""

    name: str
    model: str
    digest: str
    weight: int
    before: int
    state: str
    reason: str


@dataclass(frozen=True)
class DeploymentCard:
    """What is asked of a deployment, what is served, and how it came to be."""

    name: str
    asked: str
    path: str
    ready: bool
    shares: tuple[TrafficShare, ...]
    conditions: tuple[tuple[Condition, bool], ...]
    """Each with whether it was observed for an older document."""
    hold: Hold | None
    last_good: str
    trail: tuple[Stop, ...]

    @property
    def busy(self) -> bool:
        return not self.ready


@dataclass(frozen=True)
class ModelTable:
    """A model with its versions, newest first."""

    name: str
    versions: tuple[tuple[int, Document[ModelVersionSpec]], ...]


@dataclass(frozen=True)
class ProjectView:
    """The page of a project."""

    changes: Sequence[ChangeCard]
    """The newest that are open."""
    more_changes: bool
    deployments: tuple[DeploymentCard, ...]
    runs: tuple[RunLine, ...]
    models: tuple[ModelTable, ...]
    events: tuple[Event, ...]
    health: Health

    @property
    def busy(self) -> bool:
        """Whether something moves that no event tells of: tasks of runs, servers that start."""
        return any(run.busy for run in self.runs) or any(each.busy for each in self.deployments)


@dataclass(frozen=True)
class RunPage:
    """The page of a run."""

    line: RunLine
    logs: Mapping[str, str]
    outputs: tuple[OutputArtifact, ...]
    events: tuple[Event, ...] = field(default=())

    @property
    def busy(self) -> bool:
        return self.line.busy


async def project_view(context: ApiContext, caller: Caller) -> ProjectView:
    """Gather the page of the caller's project."""
    reads = context.reads(caller.tenant)
    runs = await reads.runs(caller.project, Page(RUNS_SHOWN))
    tasks = await reads.tasks_of(runs)
    now = context.now()
    events = _of_project(await events_of(context, caller), caller.project)
    changes, more = await open_changes(context, caller)
    return ProjectView(
        changes=changes,
        more_changes=more,
        deployments=await _deployments(context, caller, events),
        runs=tuple(run_line(run, tasks.get((run.uid, run.attempt), ()), now) for run in runs),
        models=_models(caller.tree, caller.tenant, caller.project),
        events=events[:EVENTS_SHOWN],
        health=health(await context.platform_status.of_tenant(caller.tenant), caller.tenant),
    )


async def run_page(context: ApiContext, caller: Caller, name: str) -> RunPage:
    """Gather the page of a run; raises the refusal where the project has none of that name."""
    reads = context.reads(caller.tenant)
    run = await find_run(context, caller, name)
    tasks = await reads.tasks(run)
    logs = {task.name: await _log(context, run, task.name) for task in tasks}
    events = _of_project(await events_of(context, caller), caller.project)
    mine = tuple(event for event in events if (event.fact.noun, event.fact.name) == ("run", name))
    return RunPage(run_line(run, tasks, context.now()), logs, run.outputs, mine)


async def events_of(context: ApiContext, caller: Caller) -> tuple[Event, ...]:
    """Return the tenant's newest events, newest first; each commit they name has a page."""
    events = await context.reads(caller.tenant).newest_events(EVENTS_READ)
    return await asyncio.to_thread(with_readable_commits, context.repository, caller.tenant, events)


async def _log(context: ApiContext, run: RunView, task: str) -> str:
    try:
        return tail(await context.pipelines.logs(run.run_id, task) or b"", LOG_LINES)
    except Waiting as waiting:
        return f"(cannot be read now: {waiting})"


def _of_project(events: Sequence[Event], project: str) -> tuple[Event, ...]:
    return tuple(event for event in events if event.fact.project in {project, ""})


def run_line(run: RunView, tasks: Sequence[TaskView], now: datetime) -> RunLine:
    """Put a run and its tasks together with what they took so far."""
    lines = tuple(TaskLine(task, _seconds(task.started_at, task.finished_at or now)) for task in tasks)
    return RunLine(run, lines, ((run.finished_at or now) - run.created_at).total_seconds())


def _seconds(start: datetime | None, end: datetime) -> float | None:
    return None if start is None else (end - start).total_seconds()


def _models(tree: Tree, tenant: str, project: str) -> tuple[ModelTable, ...]:
    def newest_first(model: str) -> tuple[tuple[int, Document[ModelVersionSpec]], ...]:
        return tuple(tree.model_versions(tenant, project, model).items())[::-1]

    return tuple(ModelTable(model, newest_first(model)) for model in tree.models(tenant, project))


async def _deployments(context: ApiContext, caller: Caller, events: Sequence[Event]) -> tuple[DeploymentCard, ...]:
    reads = context.reads(caller.tenant)
    served = {each.deployment: each for each in await reads.served(caller.project)}
    return tuple(
        [
            deployment_card(
                caller.tree, document, served.get(name), await reads.conditions(caller.project, name), events
            )
            for name, document in caller.tree.deployments(caller.tenant, caller.project).items()
        ]
    )


def deployment_card(
    tree: Tree,
    document: Document[ModelDeploymentSpec],
    served: Served | None,
    conditions: Sequence[Condition],
    events: Sequence[Event],
) -> DeploymentCard:
    """Put together what is asked, live and served of one deployment."""
    who = document.identity
    rollout = tree.rollout(who.tenant, who.project, who.name)
    shares = _shares(rollout, served)
    main = max(shares, key=lambda each: each.weight, default=None)
    model = tree.model_version(who.tenant, who.project, main.model) if main else None
    target = document.spec.versions[0]
    current = served if rollout and served and served.rollout_blob == rollout.blob else None
    return DeploymentCard(
        name=who.name,
        asked=f"{target.name} ({target.model})",
        path=f"/serve/{who.project}/{who.name}/v2/models/{target.model_name}/infer",
        ready=arrived(document.spec, document.blob, rollout.spec if rollout else None, current),
        shares=shares,
        conditions=tuple((each, each.observed_blob != document.blob) for each in conditions),
        hold=rollout.spec.hold if rollout else None,
        last_good=", ".join(each.name for each in rollout.spec.last_good) if rollout else "",
        trail=trail(document, rollout, model, events),
    )


def _shares(rollout: Document[RolloutSpec] | None, served: Served | None) -> tuple[TrafficShare, ...]:
    """Return the live versions with the weights of the rollout, and each one's state as it was last seen."""
    if rollout is None:
        return ()
    found: list[TrafficShare] = []
    before = 0
    for live in rollout.spec.live:
        seen = served.version(live.name) if served else None
        state, reason = (seen.state.value, seen.reason) if seen else ("pending", "")
        found.append(TrafficShare(live.name, live.model, live.digest, live.weight, before, state, reason))
        before += live.weight
    return tuple(found)


def health(status: Mapping[str, Any], tenant: str) -> Health:
    """Read the collector's document leniently: a page stands, whatever becomes of its shape."""
    parts = tuple(_part(each) for each in status.get("parts") or ())
    servers = tuple(_part(each, f"serve-{tenant}--") for each in status.get("served") or ())
    healthy = status.get("healthy")
    return Health(healthy if isinstance(healthy, bool) else None, parts, servers)


def _part(each: Mapping[str, Any], prefix: str = "") -> PartLine:
    state = str(each.get("health", "unknown"))
    return PartLine(
        name=str(each.get("name", "?")).removeprefix(prefix),
        health=state,
        # What a part says while all is well are its addresses, which are nothing to tenants.
        reason="" if state == "ready" else str(each.get("reason") or ""),
        memory=int(each.get("memory") or 0),
        restarts=int(each.get("restarts") or 0),
    )
