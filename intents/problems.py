"""Why an intent is refused: one Problem a reason, with its place and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice


class Severity(StrEnum):
    """An error refuses the change; a warning only tells."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One reason an intent is refused. `line` and `column` count from 1; 0 where there is no place."""

    code: str
    """A key of `intents.catalogue.CATALOGUE`."""
    path: str
    line: int
    column: int
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    field: str = ""
    """Dotted path in the document, such as `spec.versions.0.model`."""
    across: str = ""
    """What the message leaves out because it names other tenants or their use: for the platform's own people."""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}:{self.line}:{self.column}: {self.code}: {self.told}{hint}"

    @property
    def told(self) -> str:
        """The message, with all that is known across tenants."""
        return f"{self.message} ({self.across})" if self.across else self.message

    def within_tenant(self) -> Problem:
        """Return the problem as a tenant may see it."""
        return replace(self, across="") if self.across else self


MOST_PROBLEMS = 1000
"""Of one document. Its 256 KiB have room for 80,000, which take seconds to explain and fill no screen."""


def first_of(path: str, problems: Iterable[Problem]) -> list[Problem]:
    """Return as many problems of the document at `path` as a person can use, and say so where there are more.

    Those are not even looked for.
    """
    found = list(islice(problems, MOST_PROBLEMS + 1))
    if len(found) <= MOST_PROBLEMS:
        return found
    message = f"only the first {MOST_PROBLEMS} problems of this document are told"
    return [*found[:MOST_PROBLEMS], Problem("more-problems", path, 0, 0, message, "correct these first")]


class InvalidIntent(Exception):
    """Refused: a person must change the intent. Holds every problem found, not the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
