"""The change that a command is about: a folder or a commit against where it left a branch, and what else is open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api.composition.snapshots import Sight, sight
from intents.identity import identify
from intents.problems import Problem
from intents.tree import Tree
from reconciler.planning.plan import OpenChange
from reconciler.planning.states import State
from reconciler.planning.validation import Question, validate
from reconciler.ports.errors import Stalled
from reconciler.stores.git.snapshot import Commits
from reconciler.workers.open_changes import OpenChanges

DEFAULT_BASES = ("main", "origin/main", "HEAD")


@dataclass(frozen=True)
class LocalChange:
    """A change that lies here, read."""

    base: Tree
    head: Tree
    """With what stood before where a file cannot be read."""
    changed: frozenset[str]
    problems: tuple[Problem, ...]
    others: tuple[OpenChange, ...]
    """The branches `change/*`."""


def local_change(directory: Path, base: str | None, head: str | None) -> LocalChange:
    """Read the change from where `head`, or else the folder as it lies there, left `base`. Raises Stalled."""
    commits = Commits(directory)
    onto = base or commits.first_of(*DEFAULT_BASES)
    if onto is None:
        raise Stalled(f"the repository of {directory} has no commit to compare with")
    fork = commits.fork(onto, head or "HEAD")
    others = OpenChanges(commits).beside(onto, planned=commits.commit(head or "HEAD"))
    return _read(sight(directory, head, fork), others)


def _read(seen: Sight, others: tuple[OpenChange, ...]) -> LocalChange:
    before, after = seen.states()
    old = before or State()
    changed = old.differing(after)
    unread = {each.path for each in after.problems if each.path in changed}
    head = after.tree.advance({path: old.tree.get(path) for path in unread if identify(path)})
    problems = validate(Question(after, seen.body, old, only_changed=True))
    return LocalChange(old.tree, head, changed, problems, others)
