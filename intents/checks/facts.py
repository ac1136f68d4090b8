"""What the trees cannot tell: facts that only the platform's ledger has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from intents.identity import identify
from intents.kinds import Kind
from intents.tree import Tree


@dataclass(frozen=True)
class Facts:
    """What the ledger knows of the intents that a change touches. It may know more; that does no harm."""

    active: frozenset[str] = frozenset()
    """Paths of runs and training jobs that are under way."""
    retired: frozenset[str] = frozenset()
    """Paths of runs that have left the tree. Their names stay taken: logs and models go by them."""
    approved: bool = False
    """An approver said yes to this very change."""


class Question(StrEnum):
    """What nobody can check without facts. The value says it to a person."""

    ACTIVE_RUN = "whether a run or training job that is removed is still under way"
    RUN_NAME = "whether the name of a new run was used by a run that has left the tree"


_QUESTIONS = {
    (Kind.RUN, True): Question.RUN_NAME,
    (Kind.RUN, False): Question.ACTIVE_RUN,
    (Kind.TRAINING_JOB, False): Question.ACTIVE_RUN,
}
"""By kind, and whether an intent of it is there after the change."""


def not_checked(
    base: Tree, head: Tree, changed: Collection[str] | None = None, facts: Facts | None = None
) -> tuple[Question, ...]:
    """Return what `check` left open with the same arguments: for each question, once, that the change raises.

    Nothing is guessed: with facts there is an answer, without them a question.
    """
    if facts is not None:
        return ()
    paths = {*base, *head} if changed is None else set(changed)
    raised = {_question(path, head) for path in paths if (path in base) != (path in head)}
    return tuple(question for question in Question if question in raised)


def _question(path: str, head: Tree) -> Question | None:
    identity = identify(path)
    return _QUESTIONS.get((identity.kind, path in head)) if identity else None
