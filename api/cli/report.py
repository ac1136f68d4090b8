"""What `ordain validate` tells, before it is put into a form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from intents.problems import Problem, Severity


class Form(StrEnum):
    """Forms of a report."""

    TEXT = "text"
    """For a person: each problem with its line."""
    JSON = "json"
    SARIF = "sarif"
    """SARIF 2.1.0, for code scanning."""
    GITHUB = "github"
    """Workflow commands of GitHub Actions: annotations of the lines."""


@dataclass(frozen=True)
class Report:
    """The problems of one state."""

    intents: int
    problems: tuple[Problem, ...]
    seconds: float
    line: Callable[[str, int], str]
    """The text of a line of a file, by path and number from 1; empty where there is none."""
    not_checked: tuple[str, ...] = ()
    """What nobody can check without the platform's ledger, in words."""
    root: str = ""
    """Where the repository of intents lies, from the folder the command was called in, with a `/` at its end."""

    @property
    def errors(self) -> int:
        """How many problems refuse the state."""
        return sum(each.severity is Severity.ERROR for each in self.problems)

    @property
    def warnings(self) -> int:
        """How many problems only tell."""
        return len(self.problems) - self.errors
