"""Manifests that a change adds, changes and removes: only the units it reaches are rendered, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from intents.tree import Tree
from reconciler.planning.plan.diff import Change, FieldDifference, differences
from renderers.canonical import Manifest
from renderers.rendering import is_there, render_unit
from renderers.unit import Unit


@dataclass(frozen=True)
class Pair:
    """One manifest before and after; equal ones are no pair."""

    unit: Unit
    path: str
    before: Manifest | None
    after: Manifest | None

    @property
    def known(self) -> Manifest:
        """The manifest as it will be, or as it was."""
        return self.after or self.before or {}


@dataclass(frozen=True)
class ManifestChange:
    """One manifest that differs, by its path on the cluster's rendered branch."""

    change: Change
    cluster: str
    path: str
    kind: str
    namespace: str
    name: str
    fields: tuple[FieldDifference, ...] = ()


@dataclass(frozen=True)
class Unrendered:
    """A unit that cannot be rendered, before or after; what it becomes is not known."""

    cluster: str
    tenant: str
    """Empty for what a cluster needs once."""
    unit: str
    reason: str


@dataclass(frozen=True)
class Rendering:
    """Units as they were rendered, and those that cannot be."""

    units: Mapping[Unit, Mapping[str, Manifest]]
    unrendered: tuple[Unrendered, ...]


def render(tree: Tree, units: Iterable[Unit]) -> Rendering:
    """Render units; one that is not there has no manifests."""
    rendered: dict[Unit, Mapping[str, Manifest]] = {}
    unrendered: list[Unrendered] = []
    for unit in units:
        try:
            rendered[unit] = render_unit(tree, unit) if is_there(tree, unit) else {}
        # A tree that is refused may be past rendering; the rest of its plan is still worth reading.
        except Exception as error:  # noqa: BLE001
            unrendered.append(Unrendered(unit.cluster, unit.tenant, _name(unit), f"{type(error).__name__}: {error}"))
    return Rendering(rendered, tuple(unrendered))


def pairs_of(before: Rendering, after: Rendering) -> tuple[Pair, ...]:
    """Return the manifests that differ, of units that could be rendered both times, by cluster and path."""
    both = (unit for unit in before.units if unit in after.units)
    found = (pair for unit in both for pair in _pairs(unit, before.units[unit], after.units[unit]))
    return tuple(sorted(found, key=lambda pair: (pair.unit.cluster, pair.path)))


def manifest_changes(pairs: Iterable[Pair]) -> Iterator[ManifestChange]:
    """Yield what happens to each manifest."""
    for pair in pairs:
        metadata = pair.known["metadata"]
        yield ManifestChange(
            change=Change.REMOVED if pair.after is None else Change.ADDED if pair.before is None else Change.CHANGED,
            cluster=pair.unit.cluster,
            path=pair.path,
            kind=pair.known["kind"],
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            fields=tuple(differences(pair.before, pair.after)) if pair.before and pair.after else (),
        )


def _pairs(unit: Unit, before: Mapping[str, Manifest], after: Mapping[str, Manifest]) -> Iterator[Pair]:
    for path in before.keys() | after.keys():
        pair = Pair(unit, path, before.get(path), after.get(path))
        if pair.before != pair.after:
            yield pair


def _name(unit: Unit) -> str:
    place = "/".join(part for part in (unit.tenant, unit.project, unit.name) if part)
    return f"{unit.kind} {place or unit.cluster}"
