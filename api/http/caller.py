"""Who calls, and for which tenant and project."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.commits import MinCommit, reflects, wait_for
from api.http.context import context_of
from api.http.problems import Refusal, not_found
from intents.authority import Principal, is_platform_admin, roles
from intents.names import PLATFORM_TENANT
from intents.tree import Tree

TENANT_HEADER, PROJECT_HEADER = "x-tenant-id", "x-project-id"
USER_HEADER, EMAIL_HEADER, GROUPS_HEADER = "x-forwarded-user", "x-forwarded-email", "x-forwarded-groups"
PATH_TENANT = "ordain.path_tenant"

ProjectQuery = Annotated[
    str | None, Query(alias="project", description="One of the tenant's projects; without it, the default one.")
]


class TenantInPath:
    """ASGI middleware: `/t/<tenant>/rest` is `/rest` for that tenant."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Strip the prefix and remember its tenant."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith("/t/"):
            tenant, _, rest = path.removeprefix("/t/").partition("/")
            scope = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), PATH_TENANT: tenant}
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Caller:
    """An authenticated principal in one tenant and one of its projects."""

    tree: Tree
    tenant: str
    """PLATFORM_TENANT where a platform admin acts for the platform itself."""
    project: str
    principal: Principal
    email: str

    @property
    def is_platform(self) -> bool:
        """Whether it is outside all tenants."""
        return self.tenant == PLATFORM_TENANT


async def tenant_of(request: Request) -> tuple[Tree, str | None]:
    """Return the tree at head and the tenant that header, host and path agree on; None on the bare host."""
    context = context_of(request)
    tree = await context.head.advance()
    reflects(request, context.head.commit)
    named = {
        "header": request.headers.get(TENANT_HEADER),
        "host": _tenant_of_host(tree, request.url.hostname or ""),
        "path": request.scope.get(PATH_TENANT),
    }
    found = {source: tenant for source, tenant in named.items() if tenant}
    if len(set(found.values())) > 1:
        said = ", ".join(f"the {source} says {tenant}" for source, tenant in found.items())
        raise Refusal(HTTPStatus.BAD_REQUEST, "tenant-disagreement", f"which tenant? {said}")
    tenant = next(iter(found.values()), None)
    if tenant is not None and tree.tenant(tenant) is None:
        raise not_found(f"tenant {tenant}")
    return tree, tenant


def _tenant_of_host(tree: Tree, host: str) -> str | None:
    domain = tree.platform.base_domain
    if host == domain:
        return None
    claimants = tree.claimants(host.removesuffix(f".{domain}")) if host.endswith(f".{domain}") else {}
    if not claimants:
        raise not_found(f"host {host}")
    return next(iter(claimants.values())).identity.name


def principal_of(request: Request) -> Principal:
    """Return the person that the edge named; who signs in under a worker's name is no worker by that."""
    principal = _named(request)
    if principal.is_worker:
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", "no person is called ordain-…, as the platform's own are")
    return principal


def _named(request: Request) -> Principal:
    user = request.headers.get(USER_HEADER)
    if not user:
        raise Refusal(HTTPStatus.UNAUTHORIZED, "unauthenticated", "nobody is signed in: the edge set no person")
    groups = (group.strip() for group in request.headers.get(GROUPS_HEADER, "").split(","))
    return Principal(user, frozenset(group for group in groups if group))


async def caller_of(request: Request, min_commit: MinCommit = None, project: ProjectQuery = None) -> Caller:
    """Resolve tenant, project and principal, or refuse."""
    tree, tenant = await _in_tenant(request, min_commit)
    return _member(request, tree, tenant, project)


async def reader_of_packages(request: Request, min_commit: MinCommit = None, project: ProjectQuery = None) -> Caller:
    """Resolve the same; workers may as well, in every tenant: they run what people asked for."""
    tree, tenant = await _in_tenant(request, min_commit)
    named = _named(request)
    if named.is_worker:
        return Caller(tree, tenant, _project_of(request, tree, tenant, project), named, named.user)
    return _member(request, tree, tenant, project)


async def scope_of(request: Request, min_commit: MinCommit = None, project: ProjectQuery = None) -> Caller:
    """Resolve the same; on the bare host, platform admins act for the platform itself, outside all tenants."""
    tree, tenant = await _seen(request, min_commit)
    if tenant is not None:
        return _member(request, tree, tenant, project)
    principal = principal_of(request)
    if not is_platform_admin(tree, principal):
        raise tenant_required()
    return Caller(tree, PLATFORM_TENANT, "", principal, _email(request, principal))


async def _in_tenant(request: Request, min_commit: str | None) -> tuple[Tree, str]:
    tree, tenant = await _seen(request, min_commit)
    if tenant is None:
        raise tenant_required()
    return tree, tenant


async def _seen(request: Request, min_commit: str | None) -> tuple[Tree, str | None]:
    """Return tree and tenant once the tree has `min_commit`; only who is signed in may wait for it."""
    if min_commit is not None:
        principal_of(request)
        await wait_for(context_of(request), min_commit)
    return await tenant_of(request)


def tenant_required() -> Refusal:
    """Refuse because nothing says whose."""
    return Refusal(HTTPStatus.BAD_REQUEST, "tenant-required", "name a tenant: use its host, or /t/<tenant>/")


def _member(request: Request, tree: Tree, tenant: str, asked: str | None) -> Caller:
    principal = principal_of(request)
    if not roles(tree, tenant, principal):
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", f"{principal.user} is no member of {tenant}")
    project = _project_of(request, tree, tenant, asked)
    return Caller(tree, tenant, project, principal, _email(request, principal))


def _email(request: Request, principal: Principal) -> str:
    return request.headers.get(EMAIL_HEADER, principal.user)


def _project_of(request: Request, tree: Tree, tenant: str, asked: str | None) -> str:
    edge = request.headers.get(PROJECT_HEADER)
    if asked and edge and asked != edge:
        detail = f"which project? the query says {asked}, the edge says {edge}"
        raise Refusal(HTTPStatus.BAD_REQUEST, "project-disagreement", detail)
    document = tree.tenant(tenant)
    project = asked or edge or (document.spec.default_project if document else "")
    if tree.project(tenant, project) is None:
        raise not_found(f"project {project}")
    return project


CallerDep = Annotated[Caller, Depends(caller_of)]
PackageReaderDep = Annotated[Caller, Depends(reader_of_packages)]
ScopeDep = Annotated[Caller, Depends(scope_of)]
