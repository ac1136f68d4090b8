"""Runs: names that stay taken, and what may not be removed under them."""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.rule import Change
from intents.identity import identify
from intents.problems import Problem


def run_name_is_new(change: Change) -> Iterator[Problem]:
    """A name is used once in a project, whatever its date: people and logs know runs by name."""
    others = sorted(path for path in change.head.named(change.document.identity) if path != change.path)
    if others:
        message = f"the name {change.document.identity.name} is used by {others[0]}"
        hint = "choose another, or raise `attempt` there to run it again"
        yield Problem("run-name-used", change.path, 0, 0, message, hint)
    elif change.before is None and (gone := _retired_namesake(change)):
        message = f"the name {change.document.identity.name} was used by {gone}, which has left the tree"
        yield Problem("run-name-used", change.path, 0, 0, message, "choose another")


def run_is_not_under_way(change: Change) -> Iterator[Problem]:
    """Removing an intent stops nothing: its run would go on without one."""
    facts = change.world.facts
    if facts is not None and change.path in facts.active:
        message = f"{change.removed.identity.name} is still under way"
        hint = "set `desired: Cancelled`, and remove it once it has ended"
        yield Problem("active-run", change.path, 0, 0, message, hint)


def _retired_namesake(change: Change) -> str | None:
    who, facts = change.document.identity, change.world.facts
    wanted = (who.kind, who.tenant, who.project, who.name)
    for path in sorted(facts.retired) if facts else ():
        found = identify(path)
        if found and (found.kind, found.tenant, found.project, found.name) == wanted:
            return path
    return None
