"""Runs: asking for one, watching it, its tasks, logs and artifacts."""

from __future__ import annotations

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http import views
from api.http.bounded import DocumentRoute
from api.http.caller import Caller, CallerDep
from api.http.context import ApiContext, ContextDep
from api.http.nouns import RunAnswer, add, change_spec, runs_as
from api.http.pages import cursor_of, page_of
from api.http.problems import Refusal, not_found
from api.http.templates import template_reference
from api.http.writes import Ask, DryRun, WriteAnswer, WritesDep, answers
from intents.documents import Document
from intents.identity import Identity
from intents.kinds import Kind
from intents.kinds.run import Desired, RunSpec
from reconciler.planning.naming import sortable_suffix
from reconciler.planning.observations import Delivery
from reconciler.planning.run_admission import admitted_run
from reconciler.ports.reads import RunView, TaskView
from reconciler.ports.repository import CommitInfo

router = APIRouter(prefix="/runs", tags=["runs"], route_class=DocumentRoute)


class NewRun(BaseModel):
    """A request to run a template once."""

    model_config = ConfigDict(extra="forbid")

    template_id: str = Field(description="`name@version`, or `name` for its newest version")
    params: dict[str, JsonValue] = Field(default_factory=dict)
    name: str | None = Field(default=None, description="made from the template's name where absent")
    register_: dict[str, JsonValue] | None = Field(
        default=None,
        alias="register",
        description="`{model, output}`: register a model output as a new ModelVersion",
    )


class RunItem(BaseModel):
    """A run: what was asked, and where it stands."""

    model_config = ConfigDict(from_attributes=True)

    uid: UUID
    attempt: int
    project: str
    name: str
    template: str
    parameters: dict[str, JsonValue]
    state: str
    reason: str
    commit: str
    run_id: str
    model: str
    """`<model>@<version>` once one is registered."""
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None
    delivery: Delivery = Delivery.EXACTLY_ONCE
    """`at-least-once` where the engine can run a submission twice; all but one execution are ended then."""
    duplicates: int = 0
    """Executions beyond the first that were found at the engine, and ended."""


class RunDetail(RunItem):
    """A run with its tasks, in the order in which they began."""

    tasks: list[TaskView]


class Artifact(BaseModel):
    """One output artifact of a task."""

    model_config = ConfigDict(from_attributes=True)

    task: str
    output: str
    uri: str
    """An object or, ending in `/`, all objects below it."""
    schema_: str = Field(alias="schema", description="KFP's schema title, such as `system.Model`")
    metadata: dict[str, JsonValue]


_LOG: dict[int | str, dict[str, Any]] = {200: {"description": "The log's end"}}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The bytes",
    }
}


@router.post("", status_code=HTTPStatus.ACCEPTED, response_model=RunAnswer | DryRun, responses=answers(RunAnswer))
async def create_run(context: ContextDep, caller: CallerDep, writes: WritesDep, body: NewRun) -> RunAnswer | DryRun:
    """Commit a Run intent; the answer names the run at once."""

    def ask() -> Ask:
        now, template = context.now(), template_reference(caller, body.template_id)
        name = body.name or f"{template.partition('@')[0]}-{sortable_suffix(now, context.new_id())}"
        identity = Identity(Kind.RUN, name, caller.tenant, caller.project, date=now.date().isoformat())
        spec: dict[str, JsonValue] = {"template": template, "parameters": body.params}
        if body.register_ is not None:
            spec["register"] = body.register_
        return add(writes, identity, spec, f"Run {template} as {caller.tenant}/{caller.project}/{name}")

    return runs_as(await writes.submit(caller, ask), caller.tree)


@router.get("")
async def list_runs(
    context: ContextDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> views.Page[RunItem]:
    """Return the project's runs, newest first, with the cursor of the next page."""
    runs = await context.reads(caller.tenant).runs(caller.project, page_of(limit, cursor))
    following = cursor_of(runs[-1].created_at, runs[-1].uid) if len(runs) == limit else None
    return views.Page(items=[run_item(run) for run in runs], next=following)


@router.get("/{name}")
async def get_run(context: ContextDep, caller: CallerDep, name: str) -> RunDetail:
    """Return one run with its tasks."""
    reads, run = context.reads(caller.tenant), await find_run(context, caller, name)
    return RunDetail(**run_item(run).model_dump(), tasks=list(await reads.tasks(run)))


@router.get("/{name}/tasks")
async def get_tasks(context: ContextDep, caller: CallerDep, name: str) -> views.Items[TaskView]:
    """Return the tasks of a run in the order in which they began."""
    run = await find_run(context, caller, name)
    return views.Items(items=list(await context.reads(caller.tenant).tasks(run)))


@router.get("/{name}/logs", response_class=PlainTextResponse, responses=_LOG)
async def get_logs(context: ContextDep, caller: CallerDep, name: str, task: str) -> Response:
    """Return the log of one task so far, at most its last 1 MiB, as plain text."""
    run = await find_run(context, caller, name)
    tasks = {each.name for each in await context.reads(caller.tenant).tasks(run)}
    log = await context.pipelines.logs(run.run_id, task) if task in tasks else None
    if log is None:
        known = ", ".join(sorted(tasks)) or "none yet"
        raise Refusal(HTTPStatus.NOT_FOUND, "not-found", f"run {name} has no log of a task {task}; its tasks: {known}")
    return PlainTextResponse(log)


@router.get("/{name}/artifacts")
async def list_artifacts(context: ContextDep, caller: CallerDep, name: str) -> views.Items[Artifact]:
    """Return the output artifacts of a run's tasks."""
    run = await find_run(context, caller, name)
    return views.Items(items=[Artifact.model_validate(output) for output in run.outputs])


@router.get("/{name}/artifacts/{task}/{output}", response_class=views.BytesResponse, responses=_BYTES)
async def get_artifact(context: ContextDep, caller: CallerDep, name: str, task: str, output: str) -> Response:
    """Return the bytes of an output that is one object."""
    run = await find_run(context, caller, name)
    uri = next((each.uri for each in run.outputs if (each.task, each.output) == (task, output)), "")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = await context.objects.get(bucket, key) if uri and not uri.endswith("/") else None
    if body is None:
        raise not_found(f"artifact {task}/{output} of run {name}, as one object,")
    return views.BytesResponse(body)


@router.post(
    "/{name}:cancel", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers()
)
async def cancel_run(caller: CallerDep, writes: WritesDep, name: str) -> WriteAnswer | DryRun:
    """Commit `desired: Cancelled` in the run's intent; a finished run stays as it is."""

    def ask() -> Ask:
        document = caller.tree.run(caller.tenant, caller.project, name)
        if document is None:
            raise not_found(f"run {name}")
        spec = document.spec.model_copy(update={"desired": Desired.CANCELLED})
        return change_spec(writes, document, spec, f"Cancel {caller.tenant}/{caller.project}/{name}")

    return await writes.submit(caller, ask)


async def find_run(context: ApiContext, caller: Caller, name: str) -> RunView:
    """Return a run as the ledger has it, or as it stands on main before the reconciler has seen it there."""
    run = await context.reads(caller.tenant).run(caller.project, name)
    document = caller.tree.run(caller.tenant, caller.project, name)
    if run is not None:
        return run
    if document is None:
        raise not_found(f"run {name}")
    return await asyncio.to_thread(_committed_run, context, caller, document)


def _committed_run(context: ApiContext, caller: Caller, document: Document[RunSpec]) -> RunView:
    commit = _commit_that_added(context, document.path)
    row = admitted_run(caller.tree.platform.repository.uid, document, commit.id, commit.asked_by)
    return RunView(
        uid=row.uid,
        attempt=row.attempt,
        project=row.project,
        name=row.name,
        template=row.template,
        parameters=dict(row.parameters),
        state=row.state,
        reason="committed; the reconciler has not seen it yet",
        commit=row.commit,
        run_id=row.run_id,
        model="",
        created_at=commit.at,
        submitted_at=None,
        finished_at=None,
        outputs=(),
    )


def _commit_that_added(context: ApiContext, path: str) -> CommitInfo:
    """Walk back from the head; what the reconciler has not seen yet was added a few commits ago."""
    commit = context.repository.info(context.head.commit or "")
    while commit.parent is not None and context.repository.read(commit.parent, path) is not None:
        commit = context.repository.info(commit.parent)
    return commit


def run_item(run: RunView) -> RunItem:
    """Return a run as people see it."""
    return RunItem.model_validate(run)
