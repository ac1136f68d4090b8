"""Port: a forge, where changes to main are pull requests that people review."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.planning.forge import Check, Proposal, PullDetails, PullRequest, PullState


class Forge(Protocol):
    """One repository on a forge, by its API; git itself goes by the port Remote.

    Main moves by our own push only, so that commits keep their author, committer and trailers: a change is landed by
    pushing its commit to main and to its branch at once, and `merge` then tells the forge. Where a person presses
    the forge's own merge button, main has moved by somebody else's hand and is followed as any such move.

    Every call may be repeated, but of two at once that propose one branch a forge may take both (Gitea does): whoever
    proposes holds a lease. What is read may be old by the time it is used; what is changed names the commit it is
    about. Events (webhooks) are hints to look, never facts; without them a poll finds the same, later.

    All calls raise Waiting with the seconds after which to ask again (the forge is away, or its rate limit says so),
    Stalled where a person must act (the token, its rights, a setting of the repository), Conflict where the pull
    request is no longer at the commit that was named. Calls are bounded in time, pages and bytes; no error shows a
    credential.
    """

    async def propose(self, proposal: Proposal) -> PullRequest:
        """Open the pull request of a branch, or bring title and plan of the open one up to date.

        What people wrote before the plan stays. Raises Conflict where the branch is not at the proposal's head.
        """
        ...

    async def list(self) -> Sequence[PullRequest]:
        """Return the open pull requests, oldest first. Asking again and again costs the forge little."""
        ...

    async def latest(self, branch: str) -> PullRequest | None:
        """Return the pull request of a branch: the open one, or else the newest of those that ended."""
        ...

    async def show(self, number: int) -> PullDetails | None:
        """Return one pull request with its reviews and checks, or None where there is none of that number."""
        ...

    async def set_check(self, commit: str, check: Check) -> None:
        """Set a check of a commit; one that says so already is not set again."""
        ...

    async def merge(self, number: int, head: str) -> PullState:
        """Mark a pull request as merged whose head is `head`, and which main has by now.

        Returns MERGED, or CLOSED where the repository's settings let nobody mark it: then a comment says where it is.
        Raises Conflict where its head is another, Waiting where the forge has not seen yet what main has.
        """
        ...

    async def close(self, number: int, reason: str) -> None:
        """Close an open pull request with a comment; one that is not open stays as it is."""
        ...

    async def comment(self, number: int, text: str) -> None:
        """Say something on a pull request; what is asked twice is said twice."""
        ...
