"""The panel's routes: server-rendered pages that a small script keeps live."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse

from api.http.caller import PATH_TENANT, Caller, CallerDep, ProjectQuery, caller_of, tenant_of
from api.http.context import ContextDep
from api.http.problems import not_found
from api.http.reviews import ChangePath
from api.panel.changes import change_page
from api.panel.commits import commit_page
from api.panel.links import Links
from api.panel.rendering import MEDIA_TYPES, SECURITY_HEADERS, STATIC, page
from api.panel.views import events_of, project_view, run_page
from intents.tree import Tree
from reconciler.planning.events import Event

router = APIRouter(include_in_schema=False)

Fragment = Literal["live"] | None
"""With `?fragment=live` a page answers with the part of it that changes."""
CommitPath = Annotated[str, Path(pattern="^[0-9a-f]{40}$")]


@router.get("/")
async def home(
    request: Request, context: ContextDep, fragment: Fragment = None, project: ProjectQuery = None
) -> HTMLResponse:
    """Show the caller's project; on the bare host, the list of tenants."""
    tree, tenant = await tenant_of(request)
    if tenant is None:
        return _tenants_page(request, tree)
    caller = await caller_of(request, project=project)
    view = await project_view(context, caller)
    template = "project_live.html.j2" if fragment else "project.html.j2"
    return _page(request, caller, template, view=view, path="/")


@router.get("/runs/{name}")
async def run(
    request: Request, context: ContextDep, caller: CallerDep, name: str, fragment: Fragment = None
) -> HTMLResponse:
    """Show a run: its parameters, tasks, logs and outputs."""
    view = await run_page(context, caller, name)
    template = "run_live.html.j2" if fragment else "run.html.j2"
    return _page(request, caller, template, view=view, path=f"/runs/{name}")


@router.get("/commits/{commit}")
async def commit(request: Request, context: ContextDep, caller: CallerDep, commit: CommitPath) -> HTMLResponse:
    """Show what a commit changed of the tenant, and what happened for it."""
    view = await asyncio.to_thread(commit_page, context.repository, caller.tenant, commit)
    if view is None:
        raise not_found(f"commit {commit}")
    followed = [event for event in await events_of(context, caller) if event.fact.commit == commit]
    return _page(request, caller, "commit.html.j2", view=view, events=followed)


@router.get("/changes/{change_id}")
async def change(request: Request, context: ContextDep, caller: CallerDep, change_id: ChangePath) -> HTMLResponse:
    """Show a change: what it would do, and what it lacks."""
    view = await change_page(context, caller, change_id)
    happened = [event for event in await events_of(context, caller) if _is_of(event, "change", change_id)]
    return _page(request, caller, "change.html.j2", view=view, events=happened)


@router.get("/static/panel/{name}")
async def static(name: str) -> Response:
    """Return a file of the panel's own; its address changes with its bytes."""
    if name not in STATIC:
        raise not_found(f"file {name}")
    headers = SECURITY_HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(STATIC[name], media_type=MEDIA_TYPES[name], headers=headers)


def _page(request: Request, caller: Caller, template: str, **values: Any) -> HTMLResponse:
    document = caller.tree.tenant(caller.tenant)
    spec = document.spec if document else None
    default = spec.default_project if spec else ""
    links = Links(_prefix(request), caller.project if caller.project != default else "")
    names: dict[str, Any] = {
        "tenant_title": (spec.display_name if spec else "") or caller.tenant,
        "project": caller.project,
        "projects": {name: "" if name == default else name for name in caller.tree.projects(caller.tenant)},
    }
    return page(template, links, **names, **values)


def _is_of(event: Event, noun: str, name: str) -> bool:
    return (event.fact.noun, event.fact.name) == (noun, name)


def _prefix(request: Request) -> str:
    tenant = request.scope.get(PATH_TENANT)
    return f"/t/{tenant}" if tenant else ""


def _tenants_page(request: Request, tree: Tree) -> HTMLResponse:
    port = f":{request.url.port}" if request.url.port else ""
    hosts: dict[str, list[str]] = {}
    for host, tenant in tree.hostnames().items():
        hosts.setdefault(tenant, []).append(f"{request.url.scheme}://{host}{port}/")
    tenants = [(name, _title(tree, name), addresses) for name, addresses in sorted(hosts.items())]
    return page("tenants.html.j2", Links(), tenants=tenants)


def _title(tree: Tree, tenant: str) -> str:
    document = tree.tenant(tenant)
    return (document.spec.display_name if document else "") or tenant
