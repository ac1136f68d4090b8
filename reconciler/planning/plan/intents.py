"""Intents that a change adds, changes and removes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from intents.checks.rule import differs
from intents.kinds import Kind
from intents.tree import AnyDocument, Tree
from reconciler.planning.plan.diff import Change, FieldDifference, differences


@dataclass(frozen=True)
class IntentChange:
    """One intent that differs. Of one that is changed and has no `fields`, only comments or form differ."""

    change: Change
    kind: Kind
    path: str
    fields: tuple[FieldDifference, ...] = ()

    @property
    def only_form(self) -> bool:
        """Whether it asks for the same as before."""
        return self.change is Change.CHANGED and not self.fields


def changed_paths(base: Tree, head: Tree, paths: Iterable[str]) -> tuple[str, ...]:
    """Return, in order, those of `paths` at which an intent really differs."""
    return tuple(sorted(path for path in set(paths) if differs(base.get(path), head.get(path))))


def intent_changes(base: Tree, head: Tree, paths: Iterable[str]) -> Iterator[IntentChange]:
    """Yield what happens to the intent at each of `paths`."""
    for path in paths:
        before, after = base.get(path), head.get(path)
        if before is not None and after is not None:
            fields = tuple(differences(as_mapping(before), as_mapping(after)))
            yield IntentChange(Change.CHANGED, after.identity.kind, path, fields)
        elif after is not None:
            yield IntentChange(Change.ADDED, after.identity.kind, path)
        elif before is not None:
            yield IntentChange(Change.REMOVED, before.identity.kind, path)


def as_mapping(document: AnyDocument) -> dict[str, Any]:
    """Return an intent as plain values, with every default written out."""
    metadata = {"labels": dict(document.labels), "annotations": dict(document.annotations)}
    return {"metadata": metadata, "spec": document.spec.model_dump(mode="json", by_alias=True, exclude_none=True)}
