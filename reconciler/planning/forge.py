"""Pull requests as every forge has them: what is put before people, and what they and checks say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

CHANGE_BRANCHES = "change/"
"""The branches of changes begin so; the rest of the name is the change's id."""


class PullState(StrEnum):
    """What became of a pull request."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What a check came to."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class Proposal:
    """A change as it is put before people: its branch is on the forge already."""

    branch: str
    head: str
    """The commit of the branch that the plan is of."""
    title: str
    plan: str
    """Markdown, which begins with a marker of its own line by which it is found again."""


@dataclass(frozen=True)
class PullRequest:
    """A pull request from a branch `change/…` of the same repository onto main."""

    number: int
    branch: str
    head: str
    title: str
    author: str
    """The account that opened it."""
    state: PullState
    url: str
    updated_at: datetime = field(compare=False)
    """When anything last happened to it, by the forge's clock, in whole seconds: reviews count, checks do not."""


@dataclass(frozen=True)
class Review:
    """The last word of one person on a pull request; comments without a verdict are none.

    One that was dismissed approves nothing, and neither does an earlier one of the same person.
    """

    by: str
    """The account, in small letters: forges tell none apart by case."""
    approves: bool
    head: str
    """The commit that was the head when they said it."""
    at: datetime


@dataclass(frozen=True)
class Check:
    """One check of a commit, the newest of its name."""

    name: str
    verdict: Verdict
    summary: str = ""
    url: str = ""
    at: datetime | None = field(default=None, compare=False)
    """Since when it says so, by the forge's clock, in whole seconds; None where it is to be set."""


@dataclass(frozen=True)
class PullDetails:
    """A pull request with what people and checks say of it."""

    pull: PullRequest
    reviews: tuple[Review, ...]
    """One a person."""
    checks: tuple[Check, ...]
    """Those of the head."""
    ended_by: str = ""
    """The account that merged or closed it; empty where it is open, or the account is gone."""
    commit: str = ""
    """The commit of main that it was merged as; empty where it is not."""

    @property
    def approvals(self) -> tuple[Review, ...]:
        """The reviews that approve the head as it is now."""
        return tuple(each for each in self.reviews if each.approves and each.head == self.pull.head)
