"""The catalog: templates and their packages."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.http.caller import Caller, CallerDep
from api.http.problems import Refusal, not_found
from api.http.writes import ContextDep
from intents.documents import Document
from intents.kinds import TemplateSpec

router = APIRouter(prefix="/templates", tags=["catalog"])


@router.get("")
async def list_templates(caller: CallerDep) -> dict[str, Any]:
    """Return the templates that are offered to the tenant."""
    templates = caller.tree.templates().values()
    return {"items": [template_view(each) for each in templates if each.spec.offered_to(caller.tenant)]}


@router.get("/{template}")
async def get_template(caller: CallerDep, template: str) -> dict[str, Any]:
    """Return one template: `name@version`, or `name` for its newest version."""
    return template_view(_template(caller, template))


@router.get("/{template}/package", response_class=Response)
async def get_package(
    context: ContextDep,
    caller: CallerDep,
    template: str,
    commit: Annotated[
        str | None, Query(pattern="^[0-9a-f]{40}$", description="as it was at this commit of main")
    ] = None,
) -> Response:
    """Return the compiled package, with its sha256 in the header `X-Content-Sha256`."""
    document = _template(caller, template)
    package, at = document.spec.package, commit or context.head.commit or ""
    if package is None:
        raise not_found(f"package of the training template {template}")
    path = f"{document.path.rpartition('/')[0]}/{package.file}"
    try:
        body = await asyncio.to_thread(context.repository.read, at, path)
    except KeyError as error:
        raise Refusal(HTTPStatus.NOT_FOUND, "not-found", f"commit {at} does not exist") from error
    if body is None:
        raise not_found(f"package of {template} at {at}")
    headers = {"X-Content-Sha256": package.sha256}
    return Response(body, media_type="application/yaml", headers=headers)


def _template(caller: Caller, reference: str) -> Document[TemplateSpec]:
    document = caller.tree.template(reference)
    if document is None or not document.spec.offered_to(caller.tenant):
        raise not_found(f"template {reference}")
    return document


def template_view(document: Document[TemplateSpec]) -> dict[str, Any]:
    """Return a template as people see it."""
    identity = document.identity
    spec = document.spec.model_dump(mode="json", by_alias=True)
    return {
        "id": f"{identity.name}@{identity.version}",
        "name": identity.name,
        "version": identity.version,
        **spec,
    }
