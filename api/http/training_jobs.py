"""Training jobs: one program on several nodes at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.bounded import DocumentRoute
from api.http.caller import Caller, CallerDep
from api.http.context import ContextDep
from api.http.nouns import RunAnswer, add, change_spec, remove, runs_as
from api.http.pages import page_by_name
from api.http.problems import not_found
from api.http.templates import template_reference
from api.http.views import Page, Shown
from api.http.writes import Ask, DryRun, WriteAnswer, WritesDep, answers
from intents.documents import Document, of_spec
from intents.identity import Identity
from intents.kinds import Kind, TrainingJobSpec
from intents.kinds.run import Desired
from reconciler.planning.naming import sortable_suffix

router = APIRouter(prefix="/training-jobs", tags=["training jobs"], route_class=DocumentRoute)


class NewTrainingJob(BaseModel):
    """A request to run a training template once."""

    model_config = ConfigDict(extra="forbid")

    template_id: str = Field(description="`name@version`, or `name` for its newest version")
    params: dict[str, JsonValue] = Field(default_factory=dict)
    name: str | None = Field(default=None, description="made from the template's name where absent")
    nodes: int = Field(default=1, description="on how many nodes at once")
    resources: dict[str, JsonValue] | None = Field(default=None, description="what each node may use")
    register_: dict[str, JsonValue] | None = Field(
        default=None, alias="register", description="`{model, output}`: register a model output as a new ModelVersion"
    )
    deadline: str | None = Field(default=None, description="how long it may take from submission on, such as `2h`")

    def spec(self, template: str) -> dict[str, JsonValue]:
        """Return the spec of the intent."""
        optional = {"resources": self.resources, "register": self.register_, "deadline": self.deadline}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"template": template, "nodes": self.nodes, "parameters": self.params, **given}


class TrainingJobView(BaseModel):
    """A training job as it is asked for."""

    name: str
    project: str
    blob: str
    spec: Shown[TrainingJobSpec]


@router.post("", status_code=HTTPStatus.ACCEPTED, response_model=RunAnswer | DryRun, responses=answers(RunAnswer))
async def create_training_job(
    context: ContextDep, caller: CallerDep, writes: WritesDep, body: NewTrainingJob
) -> RunAnswer | DryRun:
    """Commit a TrainingJob intent; the answer names the job at once."""

    def ask() -> Ask:
        template = template_reference(caller, body.template_id)
        name = body.name or f"{template.partition('@')[0][:18]}-{sortable_suffix(context.now(), context.new_id())}"
        identity = Identity(Kind.TRAINING_JOB, name, caller.tenant, caller.project)
        subject = f"Train {template} as {caller.tenant}/{caller.project}/{name}"
        return add(writes, identity, body.spec(template), subject)

    return runs_as(await writes.submit(caller, ask), caller.tree)


@router.get("")
async def list_training_jobs(
    caller: CallerDep, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: str | None = None
) -> Page[TrainingJobView]:
    """Return the project's training jobs by name."""
    known = caller.tree.in_project(Kind.TRAINING_JOB, caller.tenant, caller.project).values()
    jobs = (each for document in known if (each := of_spec(document, TrainingJobSpec)))
    items, following = page_by_name(jobs, limit, cursor)
    return Page(items=[_view(each) for each in items], next=following)


@router.get("/{name}")
async def get_training_job(caller: CallerDep, name: str, response: Response) -> TrainingJobView:
    """Return one training job."""
    document = _job(caller, name)
    response.headers["ETag"] = f'"{document.blob}"'
    return _view(document)


@router.post(
    "/{name}:cancel", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers()
)
async def cancel_training_job(caller: CallerDep, writes: WritesDep, name: str) -> WriteAnswer | DryRun:
    """Commit `desired: Cancelled` in the job's intent; a finished job stays as it is."""

    def ask() -> Ask:
        document = _job(caller, name)
        spec = document.spec.model_copy(update={"desired": Desired.CANCELLED})
        return change_spec(writes, document, spec, f"Cancel {caller.tenant}/{caller.project}/{name}")

    return await writes.submit(caller, ask)


@router.delete("/{name}", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers())
async def delete_training_job(caller: CallerDep, writes: WritesDep, name: str) -> WriteAnswer | DryRun:
    """Remove a training job that is not under way."""

    def ask() -> Ask:
        subject = f"Remove training job {caller.tenant}/{caller.project}/{name}"
        return remove(caller, writes, _job(caller, name), subject)

    return await writes.submit(caller, ask)


def _job(caller: Caller, name: str) -> Document[TrainingJobSpec]:
    document = caller.tree.training_job(caller.tenant, caller.project, name)
    if document is None:
        raise not_found(f"training job {name}")
    return document


def _view(document: Document[TrainingJobSpec]) -> TrainingJobView:
    who = document.identity
    return TrainingJobView(name=who.name, project=who.project, blob=document.blob, spec=document.spec)
