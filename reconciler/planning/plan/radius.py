"""How far a change reaches, and whether it stays within the platform's change limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from intents.identity import identify
from intents.kinds import Kind, PlatformSpec
from intents.tree import PLATFORM_PATH, Tree
from reconciler.planning.plan.manifests import Pair


@dataclass(frozen=True)
class BlastRadius:
    """Whose intents or manifests differ: tenants, projects as `<tenant>/<project>`, and clusters with manifests."""

    tenants: tuple[str, ...]
    projects: tuple[str, ...]
    clusters: tuple[str, ...]


@dataclass(frozen=True)
class ChangeLimit:
    """One limit of what a change may do without an approver's word; `of` is null where it is no share."""

    name: str
    value: int
    allowed: int
    of: int | None
    exceeded: bool


def blast_radius(paths: Iterable[str], pairs: Iterable[Pair]) -> BlastRadius:
    """Return what intents at `paths` and manifests belong to."""
    tenants: set[str] = set()
    projects: set[str] = set()
    clusters: set[str] = set()
    for who in filter(None, map(identify, paths)):
        tenants.add(who.tenant)
        projects.add(_project(who.tenant, who.project))
    for pair in pairs:
        tenants.add(pair.unit.tenant)
        projects.add(_project(pair.unit.tenant, pair.unit.project))
        clusters.add(pair.unit.cluster)
    return BlastRadius(*(tuple(sorted(found - {""})) for found in (tenants, projects, clusters)))


def change_limits(base: Tree, head: Tree, paths: Iterable[str]) -> Iterator[ChangeLimit]:
    """Yield the limits that the platform sets before the change and that have anything to say about it."""
    platform = base.get(PLATFORM_PATH)
    if platform is None or not isinstance(platform.spec, PlatformSpec):
        return
    limits, changed = platform.spec.change_limits, list(paths)
    deleted = sum(_is_deleted_deployment(base, head, path) for path in changed)
    if limits.deleted_deployments is not None and deleted:
        there = len(base.of_kind(Kind.MODEL_DEPLOYMENT))
        share = limits.deleted_deployments
        allowed = max(share.floor, int(share.share * there))
        yield ChangeLimit("deletedDeployments", deleted, allowed, there, deleted > allowed)
    touched = len({who.tenant for path in changed if (who := identify(path)) and who.tenant})
    if limits.tenants_touched is not None and touched:
        yield ChangeLimit("tenantsTouched", touched, limits.tenants_touched, None, touched > limits.tenants_touched)


def _is_deleted_deployment(base: Tree, head: Tree, path: str) -> bool:
    before = base.get(path)
    return before is not None and before.identity.kind is Kind.MODEL_DEPLOYMENT and head.get(path) is None


def _project(tenant: str, project: str) -> str:
    return f"{tenant}/{project}" if project else ""
