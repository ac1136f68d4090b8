"""Who may change which path. The principal is the authenticated one, never an author string of git."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from intents.identity import Identity, identify, path_of
from intents.kinds.base import Kind
from intents.kinds.members import WORKER_PREFIX, Role, Subject
from intents.kinds.project import ApprovedKind
from intents.problems import Problem
from intents.tree import Tree


@dataclass(frozen=True)
class Principal:
    """Who asks, as authenticated."""

    user: str
    groups: frozenset[str] = frozenset()

    @property
    def is_worker(self) -> bool:
        """Whether it is one of the platform's own principals."""
        return self.user.startswith(WORKER_PREFIX)


def person(user: str) -> str:
    """Return what tells one person from another where two have to be.

    Many directories take a name in any case, and what stands in front passes it on as it was typed.
    """
    return user.casefold()


_IMPLIED = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.DEVELOPER: frozenset({Role.VIEWER, Role.DEVELOPER}),
    Role.APPROVER: frozenset({Role.VIEWER, Role.APPROVER}),
    Role.ADMIN: frozenset(Role),
}
FACTS = frozenset({Kind.MODEL_VERSION, Kind.ROLLOUT})
"""Kinds that the platform alone writes."""
_PLATFORMS_OWN = frozenset({Kind.PLATFORM, Kind.CLUSTER, Kind.TEMPLATE, Kind.TENANT})


def roles(tree: Tree, tenant: str, principal: Principal) -> frozenset[Role]:
    """Return all roles a person holds in a tenant, those included that others imply."""
    document = tree.tenant(tenant)
    if document is None:
        return frozenset()
    held = (role for member in document.spec.members if _is(principal, member) for role in member.roles)
    return frozenset().union(*(_IMPLIED[role] for role in held))


def is_platform_admin(tree: Tree, principal: Principal) -> bool:
    """Whether a person administers the platform. It gives no role in any tenant."""
    return _is_any(principal, tree.platform.admins)


def forbidden(tree: Tree, principal: Principal, path: str, removed: Collection[str] = ()) -> Problem | None:
    """Return why `principal` may not change the file at `path`, or None where they may.

    Roles are those of `tree`, the tree before the change, so that nobody grants themselves any.
    `removed` are the paths the same request deletes: a Rollout goes together with its deployment.
    """
    identity = identify(path)
    if identity is None or identity.kind in _PLATFORMS_OWN:
        return _unless(is_platform_admin(tree, principal), path, principal, "platform admins")
    if identity.kind is Kind.PROJECT and tree.tenant(identity.tenant) is None:
        # A tenant comes with its first projects, and has no members before it is there.
        return _unless(is_platform_admin(tree, principal), path, principal, "platform admins")
    if identity.kind in FACTS and not _goes_with_deployment(identity, path, removed):
        return _unless(principal.is_worker, path, principal, "the platform itself")
    needed = Role.ADMIN if identity.kind is Kind.PROJECT else Role.DEVELOPER
    allowed = needed in roles(tree, identity.tenant, principal)
    return _unless(allowed, path, principal, f"members of {identity.tenant} with the role {needed}")


def written_by(kind: Kind) -> str:
    """Return who may write intents of a kind, in words."""
    match kind:
        case Kind.MODEL_VERSION:
            return "the model registry alone"
        case Kind.ROLLOUT:
            return "the rollout controller alone"
        case Kind.PROJECT:
            return "admins of the tenant"
        case Kind.RUN:
            return "developers of the tenant, and schedules"
    return "platform admins" if kind in _PLATFORMS_OWN else "developers of the tenant"


def approvals_needed(tree: Tree, paths: Iterable[str]) -> int:
    """Return how many others must say yes to a change of these paths: the most that a project asks for one of them.

    As with roles, the projects are those of `tree`, the tree before the change.
    """
    needed = 0
    for path in paths:
        identity = identify(path)
        project = tree.project(identity.tenant, identity.project) if identity else None
        if identity and project and identity.kind.value in set(ApprovedKind):
            needed = max(needed, project.spec.approvals.get(ApprovedKind(identity.kind.value), 0))
    return needed


def may_not_approve(tree: Tree, principal: Principal, author: str, paths: Iterable[str]) -> Problem | None:
    """Return why the yes of `principal` to a change by `author` does not count, or None where it does.

    Nobody approves their own change. Otherwise it takes the role approver in every tenant that is touched, and a
    platform admin for the platform's own files.
    """
    for path in sorted(paths):
        if person(principal.user) == person(author) or principal.is_worker:
            return Problem("not-an-approver", path, 0, 0, f"{principal.user} cannot approve this: another person must")
        identity = identify(path)
        if identity is None or not identity.tenant or identity.kind in _PLATFORMS_OWN:
            if not is_platform_admin(tree, principal):
                message = f"{principal.user} may not approve this; platform admins may"
                return Problem("not-an-approver", path, 0, 0, message)
        elif Role.APPROVER not in roles(tree, identity.tenant, principal):
            message = f"{principal.user} may not approve this; members of {identity.tenant} with the role approver may"
            return Problem("not-an-approver", path, 0, 0, message)
    return None


def approvers(tree: Tree, paths: Iterable[str]) -> tuple[Subject, ...]:
    """Return whose yes to a change of these paths may count, as the tree names them; several tenants share few."""
    identities = [identify(path) for path in paths]
    tenants = {who.tenant for who in identities if who and who.kind not in _PLATFORMS_OWN and who.tenant}
    needed = [_approvers_of(tree, tenant) for tenant in sorted(tenants)]
    if any(who is None or who.kind in _PLATFORMS_OWN for who in identities):
        needed.append(tree.platform.admins)
    first, *others = needed or [()]
    return tuple(each for each in first if all(each in other for other in others))


def _approvers_of(tree: Tree, tenant: str) -> tuple[Subject, ...]:
    document = tree.tenant(tenant)
    members = document.spec.members if document else ()
    return tuple(
        Subject(user=each.user, group=each.group)
        for each in members
        if not {Role.APPROVER, Role.ADMIN}.isdisjoint(each.roles)
    )


def _goes_with_deployment(identity: Identity, path: str, removed: Collection[str]) -> bool:
    if identity.kind is not Kind.ROLLOUT or path not in removed:
        return False
    deployment = Identity(Kind.MODEL_DEPLOYMENT, identity.name, identity.tenant, identity.project)
    return path_of(deployment) in removed


def _unless(allowed: bool, path: str, principal: Principal, who: str) -> Problem | None:  # noqa: FBT001 - a verdict
    if allowed:
        return None
    return Problem("forbidden", path, 0, 0, f"{principal.user} may not change this; {who} may")


def _is_any(principal: Principal, subjects: Iterable[Subject]) -> bool:
    return any(_is(principal, subject) for subject in subjects)


def _is(principal: Principal, subject: Subject) -> bool:
    return subject.user == principal.user or subject.group in principal.groups
