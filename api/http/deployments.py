"""Deployments: what is to be served, what is served, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.caller import Caller, CallerDep
from api.http.context import ApiContext
from api.http.problems import Refusal, not_found, refusal
from api.http.writes import ContextDep, WaitDep, submit
from intents.authority import forbidden
from intents.documents import Document
from intents.identity import Identity, path_of
from intents.kinds import Kind, ModelDeploymentSpec
from intents.tree import Tree
from intents.writing import dump
from reconciler.planning.rollouts import arrived, roll_back
from reconciler.planning.serving import Served
from reconciler.planning.writing import ANY, RequestId, Write, WriteAction, WriteRequest
from reconciler.workers.rollout_controller import rollout_request

router = APIRouter(prefix="/deployments", tags=["deployments"])


class Rollback(BaseModel):
    """Why a deployment goes back to what was last good."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="rolled back by hand", min_length=1, max_length=200)


@router.get("")
async def list_deployments(context: ContextDep, caller: CallerDep) -> dict[str, Any]:
    """Return the project's deployments with their traffic."""
    documents = caller.tree.deployments(caller.tenant, caller.project)
    served = {each.deployment: each for each in await context.reads(caller.tenant).served(caller.project)}
    return {"items": [await _view(context, caller, each, served.get(name)) for name, each in documents.items()]}


@router.get("/{name}")
async def get_deployment(context: ContextDep, caller: CallerDep, name: str) -> dict[str, Any]:
    """Return one deployment: asked, live, served, and its conditions."""
    document = _deployment(caller, name)
    served = {each.deployment: each for each in await context.reads(caller.tenant).served(caller.project)}
    return await _view(context, caller, document, served.get(name))


@router.put("/{name}", status_code=HTTPStatus.ACCEPTED)
async def put_deployment(
    context: ContextDep,
    caller: CallerDep,
    name: str,
    body: dict[str, JsonValue],
    response: Response,
    wait: WaitDep = 0,
) -> dict[str, Any]:
    """Commit a ModelDeployment; the body is its spec. A version without a digest gets the one of its model version."""
    identity = Identity(Kind.MODEL_DEPLOYMENT, name, caller.tenant, caller.project)
    spec = with_digests(caller.tree, caller.tenant, caller.project, body)
    write = Write(path_of(identity), WriteAction.PUT, dump(Kind.MODEL_DEPLOYMENT, spec), ANY)
    request = _request(context, caller, f"Deploy {caller.tenant}/{caller.project}/{name}", (write,))
    return {"name": name, "project": caller.project, **await submit(context, caller, request, wait, response)}


@router.delete("/{name}", status_code=HTTPStatus.ACCEPTED)
async def delete_deployment(
    context: ContextDep, caller: CallerDep, name: str, response: Response, wait: WaitDep = 0
) -> dict[str, Any]:
    """Remove a deployment and its rollout in one commit."""
    document = _deployment(caller, name)
    rollout = caller.tree.rollout(caller.tenant, caller.project, name)
    found = [each for each in (document, rollout) if each is not None]
    writes = tuple(Write(each.path, WriteAction.REMOVE, expects=each.blob) for each in found)
    request = _request(context, caller, f"Remove {caller.tenant}/{caller.project}/{name}", writes)
    return await submit(context, caller, request, wait, response)


@router.post("/{name}:rollback", status_code=HTTPStatus.ACCEPTED)
async def rollback_deployment(
    context: ContextDep, caller: CallerDep, name: str, body: Rollback, response: Response, wait: WaitDep = 0
) -> dict[str, Any]:
    """Commit a Rollout that goes back to what was last good and holds there until the deployment is changed."""
    document = _deployment(caller, name)
    if problem := forbidden(caller.tree, caller.principal, document.path):  # the platform asks in the person's name
        raise refusal([problem])
    rollout = caller.tree.rollout(caller.tenant, caller.project, name)
    step = roll_back(rollout.spec, document.blob, body.reason, caller.principal.user) if rollout else None
    if step is None:
        detail = f"{name} has no other version that was good before, or goes back to it already"
        raise Refusal(HTTPStatus.CONFLICT, "nothing-to-roll-back-to", detail)
    request_id = RequestId(context.new_id())
    request = rollout_request(request_id, document, rollout, step, on_behalf_of=caller.principal.user)
    return await submit(context, caller, request, wait, response)


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


def _request(context: ApiContext, caller: Caller, subject: str, writes: tuple[Write, ...]) -> WriteRequest:
    return WriteRequest(
        id=RequestId(context.new_id()),
        tenant=caller.tenant,
        project=caller.project,
        subject=subject,
        principal=caller.principal,
        writes=writes,
        email=caller.email,
    )


async def _view(
    context: ApiContext, caller: Caller, document: Document[ModelDeploymentSpec], served: Served | None
) -> dict[str, Any]:
    name = document.identity.name
    rollout = caller.tree.rollout(caller.tenant, caller.project, name)
    conditions = await context.reads(caller.tenant).conditions(caller.project, name)
    current = served if rollout and served and served.rollout_blob == rollout.blob else None
    return {
        "name": name,
        "project": caller.project,
        "blob": document.blob,
        "spec": document.spec.model_dump(mode="json", by_alias=True),
        "rollout": rollout.spec.model_dump(mode="json", by_alias=True) if rollout else None,
        "rollout_blob": rollout.blob if rollout else None,
        "served": [vars(version) for version in served.versions] if served else [],
        "ready": arrived(document.spec, document.blob, rollout.spec if rollout else None, current),
        "conditions": [{**vars(each), "stale": each.observed_blob != document.blob} for each in conditions],
        "path": f"/serve/{caller.project}/{name}/v2/models/{document.spec.versions[0].model_name}/infer",
    }
