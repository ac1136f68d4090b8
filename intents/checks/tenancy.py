"""Tenants, projects and host names."""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.rule import Change, repeated
from intents.hints import nearest
from intents.kinds import Kind, ProjectSpec, TenantSpec
from intents.problems import Problem


def hostnames_are_its_own(change: Change) -> Iterator[Problem]:
    """No other tenant claims them, and none is there twice."""
    document = change.document
    if not isinstance(document.spec, TenantSpec):
        return
    for position, label in repeated(document.spec.hostnames):
        message = f"host name {label} is listed twice"
        yield document.problem("duplicate-hostname", message, "spec", "hostnames", position, hint="remove one")
    for position, label in enumerate(document.spec.hostnames):
        others = sorted(path for path in change.head.claimants(label) if path != change.path)
        if others:
            message = f"host name {label} is also claimed by another tenant"
            hint = "choose another; the first label of a request's host names its tenant"
            place = ("spec", "hostnames", position)
            yield document.problem("duplicate-hostname", message, *place, hint=hint, across=f"in {others[0]}")


def default_project_exists(change: Change) -> Iterator[Problem]:
    """A tenant's default project is there."""
    document = change.document
    if not isinstance(document.spec, TenantSpec):
        return
    name, tenant = document.spec.default_project, document.identity.name
    if change.head.project(tenant, name) is None:
        hint = nearest(name, change.head.projects(tenant), "projects")
        message = f"tenant {tenant} has no project {name}"
        yield document.problem("unknown-project", message, "spec", "defaultProject", hint=hint)


def tenant_exists(change: Change) -> Iterator[Problem]:
    """A project's tenant is there. Where the change removes it, that is reported there."""
    document, tenant = change.document, change.document.identity.tenant
    if change.head.tenant(tenant) is None and change.base.tenant(tenant) is None:
        hint = nearest(tenant, (each.identity.name for each in change.head.of_kind(Kind.TENANT).values()), "tenants")
        yield document.problem("unknown-tenant", f"there is no tenant {tenant}", hint=hint)


def cluster_of_project_exists(change: Change) -> Iterator[Problem]:
    """A project's cluster is there. Where the change removes it, that is reported there."""
    document = change.document
    if not isinstance(document.spec, ProjectSpec):
        return
    name = document.spec.cluster
    if change.head.cluster(name) is None and change.base.cluster(name) is None:
        known = (each.identity.name for each in change.head.of_kind(Kind.CLUSTER).values())
        message = f"there is no cluster {name}"
        yield document.problem("unknown-cluster", message, "spec", "cluster", hint=nearest(name, known, "clusters"))


def project_exists(change: Change) -> Iterator[Problem]:
    """An intent's project is there. Where the change removes it, that is reported there."""
    document, who = change.document, change.document.identity
    if change.world.project(who.tenant, who.project) is None and change.base.project(who.tenant, who.project) is None:
        hint = nearest(who.project, change.head.projects(who.tenant), "projects")
        message = f"tenant {who.tenant} has no project {who.project}"
        yield document.problem("unknown-project", message, hint=hint)


def affected_by_tenancy(change: Change) -> set[str]:
    """Return the paths whose rules look at this one."""
    document = change.after or change.before
    if document is None:
        return set()
    if document.identity.kind is Kind.PROJECT:
        tenant = change.head.tenant(document.identity.tenant)
        return {tenant.path} if tenant else set()
    if document.identity.kind is Kind.RUN:
        return set(change.head.named(document.identity))
    hostnames = document.spec.hostnames if isinstance(document.spec, TenantSpec) else ()
    return {path for label in hostnames for path in change.head.claimants(label)}
