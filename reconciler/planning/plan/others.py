"""Other changes that are open: what they would add, and where they meet this one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from intents.tree import AnyDocument, Tree
from reconciler.planning.plan.amounts import Amount, minus, plus
from reconciler.planning.plan.deployments import touched_deployments
from reconciler.planning.plan.intents import changed_paths
from reconciler.planning.plan.quotas import Deltas, added_use


@dataclass(frozen=True)
class OpenChange:
    """A change that is not on main yet: each path with the intent it would have there, None where it removes it."""

    name: str
    documents: Mapping[str, AnyDocument | None]


@dataclass(frozen=True)
class OtherChange:
    """What another open change means for this one: what it would add by itself, and the paths both change."""

    name: str
    intents: int
    """How many it changes."""
    replicas: int
    adds: Mapping[str, Amount]
    """By resource: `cpus`, `memory` in bytes, `gpus/<type>`; over all clusters, less than 0 where it frees some."""
    conflicts: tuple[str, ...]


@dataclass(frozen=True)
class Beside:
    """Another open change, measured: what is shown of it, and what it adds to each quota."""

    shown: OtherChange
    added: Deltas


def beside(base: Tree, paths: Collection[str], other: OpenChange) -> Beside:
    """Return what `other` would do to `base`, next to a change of `paths`."""
    head = base.advance(other.documents)
    changed = changed_paths(base, head, other.documents)
    touched = touched_deployments(base, head, changed)
    before, after = [each.before.peak for each in touched], [each.after.peak for each in touched]
    adds = minus(plus(*(each.use for each in after)), plus(*(each.use for each in before)))
    shown = OtherChange(
        name=other.name,
        intents=len(changed),
        replicas=sum(each.replicas for each in after) - sum(each.replicas for each in before),
        adds={name: value for name, value in adds.items() if value},
        conflicts=tuple(path for path in changed if path in paths),
    )
    return Beside(shown, added_use(base, head, touched))
