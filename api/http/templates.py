"""The catalog: templates and their packages."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from api.http.caller import Caller, CallerDep, PackageReaderDep
from api.http.commits import CommitQuery
from api.http.context import ContextDep
from api.http.problems import not_found
from api.http.views import Items, YamlResponse
from intents.documents import Document
from intents.kinds import TemplateSpec

router = APIRouter(prefix="/templates", tags=["catalog"])


class TemplateView(TemplateSpec):
    """A template of the catalog."""

    id: str
    """`name@version`."""
    name: str
    version: str


_PACKAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/yaml": {"schema": {"type": "object", "description": "one YAML document, or two"}}},
        "description": "The compiled package",
    }
}


@router.get("")
async def list_templates(caller: CallerDep) -> Items[TemplateView]:
    """Return the templates that are offered to the tenant."""
    templates = caller.tree.templates().values()
    return Items(items=[template_view(each) for each in templates if each.spec.offered_to(caller.tenant)])


@router.get("/{template}")
async def get_template(caller: CallerDep, template: str) -> TemplateView:
    """Return one template: `name@version`, or `name` for its newest version."""
    return template_view(_template(caller, template))


@router.get("/{template}/package", response_class=YamlResponse, responses=_PACKAGE)
async def get_package(
    context: ContextDep, caller: PackageReaderDep, template: str, commit: CommitQuery = None
) -> Response:
    """Return the compiled package, at head or as it was at a commit; its sha256 in the header `X-Content-Sha256`."""
    document = _template(caller, template)
    package, at = document.spec.package, commit or context.head.commit or ""
    if package is None:
        raise not_found(f"package of the training template {template}")
    path = f"{document.path.rpartition('/')[0]}/{package.file}"
    try:
        body = await asyncio.to_thread(context.repository.read, at, path)
    except (KeyError, ValueError):
        raise not_found(f"commit {at}") from None
    if body is None:
        raise not_found(f"package of {template} at {at}")
    return YamlResponse(body, headers={"X-Content-Sha256": package.sha256})


def template_reference(caller: Caller, asked: str) -> str:
    """Return `name@version`; a bare name is its newest version. An unknown one is left for the check to refuse."""
    found = caller.tree.template(asked)
    return asked if found is None or "@" in asked else f"{found.identity.name}@{found.identity.version}"


def _template(caller: Caller, reference: str) -> Document[TemplateSpec]:
    document = caller.tree.template(reference)
    if document is None or not document.spec.offered_to(caller.tenant):
        raise not_found(f"template {reference}")
    return document


def template_view(document: Document[TemplateSpec]) -> TemplateView:
    """Return a template as people see it."""
    identity = document.identity
    return TemplateView(
        **dict(document.spec),
        id=f"{identity.name}@{identity.version}",
        name=identity.name,
        version=identity.version,
    )
