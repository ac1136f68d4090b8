"""Runs: asking for one, watching it, its tasks, logs and artifacts."""

from __future__ import annotations

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.caller import Caller, CallerDep
from api.http.context import ApiContext
from api.http.pages import cursor_of, page_of
from api.http.problems import Refusal, not_found
from api.http.writes import ContextDep, WaitDep, submit
from intents.documents import Document
from intents.identity import Identity, path_of, run_uid
from intents.kinds import Kind
from intents.kinds.run import Desired, RunSpec
from intents.writing import dump
from reconciler.planning.naming import sortable_suffix
from reconciler.planning.run_admission import admitted_run
from reconciler.planning.writing import ABSENT, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.reads import RunView
from reconciler.ports.repository import CommitInfo

router = APIRouter(prefix="/runs", tags=["runs"])


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


@router.post("", status_code=HTTPStatus.ACCEPTED)
async def create_run(
    context: ContextDep, caller: CallerDep, body: NewRun, response: Response, wait: WaitDep = 0
) -> dict[str, Any]:
    """Commit a Run intent; the answer names the run at once."""
    identity, request = run_request(caller, body, context.new_id(), context.now())
    view = await submit(context, caller, request, wait, response)
    uid = run_uid(caller.tree.platform.repository.uid, path_of(identity))
    return {"name": identity.name, "uid": str(uid), "project": caller.project, **view}


def run_request(caller: Caller, body: NewRun, request: UUID, now: datetime) -> tuple[Identity, WriteRequest]:
    """Return the run's identity, fixed from here on, and the request that commits it."""
    template = _template_reference(caller, body.template_id)
    name = body.name or f"{template.partition('@')[0]}-{sortable_suffix(now, request)}"
    identity = Identity(Kind.RUN, name, caller.tenant, caller.project, date=now.date().isoformat())
    spec = {"template": template, "parameters": body.params}
    if body.register_ is not None:
        spec["register"] = body.register_
    return identity, WriteRequest(
        id=RequestId(request),
        tenant=caller.tenant,
        project=caller.project,
        subject=f"Run {template} as {caller.tenant}/{caller.project}/{name}",
        principal=caller.principal,
        writes=(Write(path_of(identity), WriteAction.PUT, dump(Kind.RUN, spec), ABSENT),),
        email=caller.email,
    )


def _template_reference(caller: Caller, asked: str) -> str:
    """Return `name@version`; a bare name is its newest version. An unknown one is left for the check to refuse."""
    found = caller.tree.template(asked)
    return asked if found is None or "@" in asked else f"{found.identity.name}@{found.identity.version}"


@router.get("")
async def list_runs(
    context: ContextDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return the project's runs, newest first, with the cursor of the next page."""
    runs = await context.reads(caller.tenant).runs(caller.project, page_of(limit, cursor))
    following = cursor_of(runs[-1].created_at, runs[-1].uid) if len(runs) == limit else None
    return {"items": [run_view(run) for run in runs], "next": following}


@router.get("/{name}")
async def get_run(context: ContextDep, caller: CallerDep, name: str) -> dict[str, Any]:
    """Return one run with its tasks."""
    reads, run = context.reads(caller.tenant), await find_run(context, caller, name)
    return {**run_view(run), "tasks": [vars(task) for task in await reads.tasks(run)]}


@router.get("/{name}/tasks")
async def get_tasks(context: ContextDep, caller: CallerDep, name: str) -> dict[str, Any]:
    """Return the tasks of a run in the order in which they began."""
    run = await find_run(context, caller, name)
    return {"items": [vars(task) for task in await context.reads(caller.tenant).tasks(run)]}


@router.get("/{name}/logs", response_class=Response)
async def get_logs(context: ContextDep, caller: CallerDep, name: str, task: str) -> Response:
    """Return the log of one task so far, at most its last 1 MiB, as plain text."""
    run = await find_run(context, caller, name)
    tasks = {each.name for each in await context.reads(caller.tenant).tasks(run)}
    log = await context.pipelines.logs(run.run_id, task) if task in tasks else None
    if log is None:
        known = ", ".join(sorted(tasks)) or "none yet"
        raise Refusal(HTTPStatus.NOT_FOUND, "not-found", f"run {name} has no log of a task {task}; its tasks: {known}")
    return Response(log, media_type="text/plain; charset=utf-8")


@router.get("/{name}/artifacts")
async def list_artifacts(context: ContextDep, caller: CallerDep, name: str) -> dict[str, Any]:
    """Return the output artifacts of a run's tasks."""
    run = await find_run(context, caller, name)
    return {"items": [vars(output) for output in run.outputs]}


@router.get("/{name}/artifacts/{task}/{output}", response_class=Response)
async def get_artifact(context: ContextDep, caller: CallerDep, name: str, task: str, output: str) -> Response:
    """Return the bytes of an output that is one object."""
    run = await find_run(context, caller, name)
    uri = next((each.uri for each in run.outputs if (each.task, each.output) == (task, output)), "")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = await context.objects.get(bucket, key) if uri and not uri.endswith("/") else None
    if body is None:
        raise not_found(f"artifact {task}/{output} of run {name}, as one object,")
    return Response(body, media_type="application/octet-stream")


@router.post("/{name}:cancel", status_code=HTTPStatus.ACCEPTED)
async def cancel_run(
    context: ContextDep, caller: CallerDep, name: str, response: Response, wait: WaitDep = 0
) -> dict[str, Any]:
    """Commit `desired: Cancelled` in the run's intent; a finished run stays as it is."""
    document = caller.tree.run(caller.tenant, caller.project, name)
    if document is None:
        raise not_found(f"run {name}")
    spec = document.spec.model_copy(update={"desired": Desired.CANCELLED})
    request = WriteRequest(
        id=RequestId(context.new_id()),
        tenant=caller.tenant,
        project=caller.project,
        subject=f"Cancel {caller.tenant}/{caller.project}/{name}",
        principal=caller.principal,
        writes=(Write(document.path, WriteAction.PUT, dump(Kind.RUN, spec), document.blob),),
        email=caller.email,
    )
    return await submit(context, caller, request, wait, response)


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
    row = admitted_run(caller.tree.platform.repository.uid, document, commit.id, commit.author.name)
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


def run_view(run: RunView) -> dict[str, Any]:
    """Return a run as people see it."""
    return {key: value for key, value in vars(run).items() if key != "outputs"}
