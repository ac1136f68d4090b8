"""How much one change may do without an approver's word. The limits are those of the tree before the change."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

from intents.checks.rule import World
from intents.identity import identify
from intents.kinds import Kind, PlatformSpec
from intents.kinds.platform import ChangeLimits, ShareLimit
from intents.problems import Problem
from intents.tree import PLATFORM_PATH

_LISTED = 5
_HINT = "make smaller changes, or let an approver say yes to this one"


def change_stays_within_limits(world: World) -> Iterator[Problem]:
    """No more deployments are deleted and tenants touched than the platform allows, or an approver said yes."""
    platform = world.base.get(PLATFORM_PATH)
    if platform is None or (world.facts is not None and world.facts.approved):
        return
    limits = platform.spec.change_limits if isinstance(platform.spec, PlatformSpec) else ChangeLimits()
    if limits.deleted_deployments is not None:
        yield from _deleted(world, limits.deleted_deployments)
    if limits.tenants_touched is not None:
        yield from _touched(world, limits.tenants_touched)


def _deleted(world: World, limit: ShareLimit) -> Iterator[Problem]:
    known = world.base.of_kind(Kind.MODEL_DEPLOYMENT)
    gone = [path for path in world.differing if path in known and path not in world.head]
    allowed = max(limit.floor, floor(limit.share * len(known)))
    if len(gone) > allowed:
        message = f"this change deletes {len(gone)} deployments; without an approver's word at most {allowed}"
        across = f"{limit.at_most} of {len(known)}, or {limit.floor}: {_some(gone)}"
        yield Problem("change-limit", gone[0], 0, 0, message, _HINT, across=across)


def _touched(world: World, limit: int) -> Iterator[Problem]:
    tenants: dict[str, str] = {}
    for path in world.differing:
        identity = identify(path)
        if identity is not None and identity.tenant:
            tenants.setdefault(identity.tenant, path)
    if len(tenants) > limit:
        message = f"this change touches {len(tenants)} tenants; without an approver's word at most {limit}"
        where = next(iter(tenants.values()))
        yield Problem("change-limit", where, 0, 0, message, _HINT, across=_some(list(tenants)))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
