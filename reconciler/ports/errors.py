"""Errors named by what happens next; anything else is retried with backoff."""

from __future__ import annotations


class Waiting(Exception):  # noqa: N818 - named by what happens next, not by what went wrong
    """Not now; look again after `after` seconds. Nobody has to do anything."""

    def __init__(self, reason: str, after: float = 1.0) -> None:
        super().__init__(reason)
        self.after = after


class Stalled(Exception):  # noqa: N818 - named by what happens next
    """A person must act; the message says what is wrong, where, and what to do."""


class Conflict(Exception):  # noqa: N818 - named by what happens next
    """The head or a row moved since it was read: read again and decide anew."""


class Ambiguous(Exception):  # noqa: N818 - named by what happens next
    """The other side may or may not have taken the request: find out before anything else."""
