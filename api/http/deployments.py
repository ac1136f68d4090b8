"""Deployments: what is to be served, what is served, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.bounded import DocumentRoute
from api.http.caller import Caller, CallerDep
from api.http.context import ApiContext, ContextDep
from api.http.nouns import NamedAnswer, expecting, named, put_spec, remove
from api.http.problems import Refusal, not_found, refusal
from api.http.views import Items, Shown
from api.http.writes import Ask, DryRun, WriteAnswer, WritesDep, answers
from intents.authority import forbidden
from intents.documents import Document
from intents.identity import Identity
from intents.kinds import Kind, ModelDeploymentSpec, RolloutSpec
from intents.tree import Tree
from reconciler.planning.rollouts import arrived, roll_back
from reconciler.planning.serving import Served, ServedVersion
from reconciler.planning.writing import RequestId
from reconciler.workers.rollout_controller import rollout_request

router = APIRouter(prefix="/deployments", tags=["deployments"], route_class=DocumentRoute)


class Rollback(BaseModel):
    """Why a deployment goes back to what was last good."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="rolled back by hand", min_length=1, max_length=200)


class ConditionView(BaseModel):
    """One condition, and the document it was observed for."""

    model_config = ConfigDict(from_attributes=True)

    type: str
    status: bool
    reason: str
    message: str
    observed_blob: str
    stale: bool = False
    """It was observed for an older document."""


class DeploymentView(BaseModel):
    """A deployment: asked, live, served, and its conditions."""

    name: str
    project: str
    blob: str
    spec: Shown[ModelDeploymentSpec]
    rollout: Shown[RolloutSpec] | None
    rollout_blob: str | None
    served: list[ServedVersion]
    ready: bool
    """What was asked for is all that is live, and a real inference was answered."""
    conditions: list[ConditionView]
    path: str
    """Where it is asked for inferences."""


@router.get("")
async def list_deployments(context: ContextDep, caller: CallerDep) -> Items[DeploymentView]:
    """Return the project's deployments with their traffic."""
    documents = caller.tree.deployments(caller.tenant, caller.project)
    served = {each.deployment: each for each in await context.reads(caller.tenant).served(caller.project)}
    found = [await _view(context, caller, each, served.get(name)) for name, each in documents.items()]
    return Items(items=found)


@router.get("/{name}")
async def get_deployment(context: ContextDep, caller: CallerDep, name: str, response: Response) -> DeploymentView:
    """Return one deployment: asked, live, served, and its conditions."""
    document = _deployment(caller, name)
    served = {each.deployment: each for each in await context.reads(caller.tenant).served(caller.project)}
    response.headers["ETag"] = f'"{document.blob}"'
    return await _view(context, caller, document, served.get(name))


@router.put(
    "/{name}", status_code=HTTPStatus.ACCEPTED, response_model=NamedAnswer | DryRun, responses=answers(NamedAnswer)
)
async def put_deployment(
    caller: CallerDep, writes: WritesDep, name: str, body: dict[str, JsonValue]
) -> NamedAnswer | DryRun:
    """Commit a ModelDeployment; the body is its spec. A version without a digest gets the one of its model version."""

    def ask() -> Ask:
        identity = Identity(Kind.MODEL_DEPLOYMENT, name, caller.tenant, caller.project)
        spec = with_digests(caller.tree, caller.tenant, caller.project, body)
        return put_spec(caller, writes, identity, spec, f"Deploy {caller.tenant}/{caller.project}/{name}")

    return named(await writes.submit(caller, ask), name, caller.project)


@router.delete("/{name}", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers())
async def delete_deployment(caller: CallerDep, writes: WritesDep, name: str) -> WriteAnswer | DryRun:
    """Remove a deployment and its rollout in one commit."""

    def ask() -> Ask:
        subject = f"Remove {caller.tenant}/{caller.project}/{name}"
        return remove(caller, writes, _deployment(caller, name), subject)

    return await writes.submit(caller, ask)


@router.post(
    "/{name}:rollback", status_code=HTTPStatus.ACCEPTED, response_model=WriteAnswer | DryRun, responses=answers()
)
async def rollback_deployment(
    context: ContextDep, caller: CallerDep, writes: WritesDep, name: str, body: Rollback
) -> WriteAnswer | DryRun:
    """Commit a Rollout that goes back to what was last good and holds there until the deployment is changed."""

    def ask() -> Ask:
        document = _deployment(caller, name)
        if problem := forbidden(caller.tree, caller.principal, document.path):  # the platform asks in their name
            raise refusal([problem])
        rollout = caller.tree.rollout(caller.tenant, caller.project, name)
        step = roll_back(rollout.spec, document.blob, body.reason, caller.principal.user) if rollout else None
        if step is None:
            detail = f"{name} has no other version that was good before, or goes back to it already"
            raise Refusal(HTTPStatus.CONFLICT, "nothing-to-roll-back-to", detail)
        request_id, person = RequestId(context.new_id()), caller.principal.user
        request = rollout_request(request_id, document, rollout, step, on_behalf_of=person)
        return Ask(request=expecting(request, document.path, writes.asked.expects(document.blob)))

    return await writes.submit(caller, ask)


def with_digests(tree: Tree, tenant: str, project: str, body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the spec with every missing digest filled in; what is wrong otherwise is left for the check to say."""
    versions = body.get("versions")
    if not isinstance(versions, list):
        return dict(body)
    return {**body, "versions": [_with_digest(tree, tenant, project, version) for version in versions]}


def _with_digest(tree: Tree, tenant: str, project: str, version: JsonValue) -> JsonValue:
    if not isinstance(version, dict) or "digest" in version or not isinstance(version.get("model"), str):
        return version
    found = tree.model_version(tenant, project, str(version["model"]))
    # A made-up digest lets the check say that the model is unknown, not only that a field is missing.
    return {**version, "digest": found.spec.digest if found else f"sha256:{'0' * 64}"}


def _deployment(caller: Caller, name: str) -> Document[ModelDeploymentSpec]:
    document = caller.tree.deployment(caller.tenant, caller.project, name)
    if document is None:
        raise not_found(f"deployment {name}")
    return document


async def _view(
    context: ApiContext, caller: Caller, document: Document[ModelDeploymentSpec], served: Served | None
) -> DeploymentView:
    name = document.identity.name
    rollout = caller.tree.rollout(caller.tenant, caller.project, name)
    conditions = await context.reads(caller.tenant).conditions(caller.project, name)
    current = served if rollout and served and served.rollout_blob == rollout.blob else None
    return DeploymentView(
        name=name,
        project=caller.project,
        blob=document.blob,
        spec=document.spec,
        rollout=rollout.spec if rollout else None,
        rollout_blob=rollout.blob if rollout else None,
        served=list(served.versions) if served else [],
        ready=arrived(document.spec, document.blob, rollout.spec if rollout else None, current),
        conditions=[ConditionView(**vars(each), stale=each.observed_blob != document.blob) for each in conditions],
        path=f"/serve/{caller.project}/{name}/v2/models/{document.spec.versions[0].model_name}/infer",
    )
