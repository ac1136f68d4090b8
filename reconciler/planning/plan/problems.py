"""What stands in the way of a change, and what nothing would act on."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from intents.checks import Facts, check
from intents.problems import Problem, Severity
from intents.tree import Tree
from reconciler.planning.capabilities import not_carried_out
from reconciler.planning.plan.intents import changed_paths


def problems_of(base: Tree, head: Tree, changed: Collection[str], facts: Facts | None = None) -> Iterator[Problem]:
    """Yield the problems of a change between two trees; arguments as for `check`."""
    yield from check(base, head, changed, facts)
    for path in changed_paths(base, head, changed):
        if (document := head.get(path)) is not None:
            yield from not_carried_out(document, Severity.WARNING)
