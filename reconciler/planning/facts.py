"""What a change has to ask the ledger before it can be decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from intents.identity import identify
from intents.kinds import Kind, RunSpec
from intents.tree import Tree


@dataclass(frozen=True)
class LedgerQuestions:
    """Questions whose answers are `intents.checks.Facts`; most changes have none."""

    removed: Mapping[str, int] = field(default_factory=dict)
    """Paths of runs that are to be removed, with their attempt: is it under way?"""
    named: frozenset[tuple[str, str, str]] = frozenset()
    """Tenant, project and name of runs that are new: was there one of that name?"""

    def __bool__(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self.removed or self.named)

    def by_tenant(self) -> Mapping[str, LedgerQuestions]:
        """Return the questions about each tenant, for who may ask about one at a time."""
        owners = {path: identity.tenant for path in self.removed if (identity := identify(path))}
        return {
            tenant: LedgerQuestions(
                {path: attempt for path, attempt in self.removed.items() if owners[path] == tenant},
                frozenset(each for each in self.named if each[0] == tenant),
            )
            for tenant in {*owners.values(), *(each[0] for each in self.named)}
        }


def ledger_questions(tree: Tree, written: Iterable[tuple[str, bool]]) -> LedgerQuestions:
    """Return what to ask for a change of `tree`: paths, each with whether an intent is there afterwards."""
    removed: dict[str, int] = {}
    named: set[tuple[str, str, str]] = set()
    for path, stays in written:
        identity = identify(path)
        if identity is None or identity.kind is not Kind.RUN:
            continue
        if not stays:
            removed[path] = _attempt(tree, path)
        elif path not in tree:
            named.add((identity.tenant, identity.project, identity.name))
    return LedgerQuestions(removed, frozenset(named))


def _attempt(tree: Tree, path: str) -> int:
    document = tree.get(path)
    return document.spec.attempt if document and isinstance(document.spec, RunSpec) else 1
