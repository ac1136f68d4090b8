"""Errors named by what happens next; anything else is retried with backoff."""

from __future__ import annotations


class Waiting(Exception):
    """Not now; look again after `after` seconds. Nobody has to do anything."""

    def __init__(self, reason: str, after: float = 1.0) -> None:
        super().__init__(reason)
        self.after = after


class Unwritable(Waiting):
    """The repository takes nothing now: a full disk, a read-only folder. The reason is for everyone who asks."""


class Stalled(Exception):
    """A person must act; the message says what is wrong, where, and what to do."""


class Conflict(Exception):
    """The head or a row moved since it was read: read again and decide anew."""


class Rejected(Exception):
    """The other side will never take this; the message says what is wrong, where, and what to do."""


class Ambiguous(Exception):
    """The other side may or may not have taken the request: find out before anything else."""
