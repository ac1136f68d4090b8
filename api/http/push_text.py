"""What the person who pushes reads in the terminal, and what their git is told."""

from __future__ import annotations

from collections.abc import Iterator

from api.http.pushes import Outcome
from api.problem_text import line_of, problem_lines, shown
from intents.tree import Tree
from reconciler.planning.pushes import PushedCommit, Unfit
from reconciler.ports.git_service import RefAnswer
from reconciler.ports.requests import RequestState

MOST_LINES = 200
_ID_DIGITS = 10


def answer_of(outcome: Outcome) -> RefAnswer:
    """Return the line for one ref.

    The commits on main have ids of their own, and the client does not have them yet: it is told the branch under a
    name that it keeps no track of, or else it would say that it cannot find the commit.
    """
    if outcome.unfit is not None:
        return RefAnswer(outcome.ref, refused=outcome.unfit.reason)
    new = outcome.written[-1][1].commit if outcome.written else outcome.old
    change = f"change/{outcome.waits_as}"
    if not outcome.waits_as or change == outcome.branch:
        return RefAnswer(outcome.ref, old=outcome.old, new=new, shown=outcome.branch)
    return RefAnswer(outcome.ref, new=new, shown=change)


def lines_of(outcome: Outcome, tree: Tree) -> Iterator[str]:
    """Yield what to show; `tree` is what main held when the push was decided."""
    for commit, status in outcome.written:
        where = f"in change {status.change}" if status.state is RequestState.PROPOSED else "on main"
        yield f"{_named(commit)} is {status.commit[:_ID_DIGITS]} {where}"
    if outcome.unfit is not None:
        yield from _refused(outcome.unfit, tree)
        yield "nothing else of this push was written" if outcome.written else "nothing was written"
    elif change := outcome.waits_as:
        yield f"others have to approve it: ordain change show {change}"
        yield f"to add to it: git push origin HEAD:change/{change}"
    elif outcome.written:
        yield "main gives commits ids of its own; take them over: git pull --rebase"
    else:
        yield f"all of this is on {outcome.branch} already"


def _refused(unfit: Unfit, tree: Tree) -> Iterator[str]:
    if unfit.commit is not None:
        yield f"{_named(unfit.commit)}: {shown(unfit.reason)}"
    lines = [line for problem in unfit.problems for line in (*problem_lines(problem, _Source(unfit, tree)), "")]
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"… and {len(lines) - MOST_LINES} more lines"


class _Source:
    """The lines that problems point to: of what is pushed, or else of what stands on main."""

    def __init__(self, unfit: Unfit, tree: Tree) -> None:
        self._pushed = {file.path: file.body for file in unfit.commit.files} if unfit.commit else {}
        self._tree = tree

    def __call__(self, path: str, number: int) -> str:
        document = self._tree.get(path)
        body = self._pushed.get(path, document.body if document else b"")
        return line_of(body, number)


def _named(commit: PushedCommit) -> str:
    return f"{commit.id[:_ID_DIGITS]} ({shown(commit.subject)})"
