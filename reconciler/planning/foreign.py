"""What is wrong with what others put on main, past the platform's checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from intents.identity import identify, misplaced
from intents.problems import InvalidIntent, Problem
from intents.reading import read
from intents.tree import Tree
from reconciler.planning.plan.problems import problems_of
from reconciler.planning.validation import in_order
from reconciler.planning.writing import refusing

_FOLDERS = ("platform/", "tenants/", "templates/")
"""What a repository of intents holds besides is its people's own."""


def foreign_problems(before: Tree, after: Tree, files: Mapping[str, bytes | None]) -> tuple[Problem, ...]:
    """Return what would have refused these files as a change; None is a file that was removed.

    `after` is the tree with them; what cannot be read is absent there.
    """
    unread = [problem for path, body in files.items() if body is not None for problem in _of_file(path, body)]
    intents = [path for path in files if identify(path)]
    return in_order(refusing((*unread, *problems_of(before, after, intents))))


def summary(problems: Iterable[Problem]) -> str:
    """Return one line that says what is wrong, for people who look at a commit."""
    found = list(problems)
    if not found:
        return "every check passed"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def _of_file(path: str, body: bytes) -> tuple[Problem, ...]:
    if identify(path) is None:
        problem = misplaced(path) if path.startswith(_FOLDERS) else None
        return () if problem is None else (problem,)
    try:
        read(path, body)
    except InvalidIntent as invalid:
        return tuple(invalid.problems)
    return ()
