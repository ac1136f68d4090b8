"""What to do about a branch that is here and on a remote: push, follow, stop or wait.

Everything is decided by where the branch was read to be, never by the text of an error: forges word a lost race in
many ways ("stale info", "cannot lock ref", "incorrect old value provided"), and a push that was cut off may have
been taken all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Attempt(StrEnum):
    """What the remote said to a push."""

    NONE = "none"
    """There was none since the branch was read last."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """It was cut off: the remote may or may not have taken it, and may still do so."""


class Standing(StrEnum):
    """How the branch on the remote stands to a commit that we know."""

    SAME = "same"
    AHEAD = "ahead"
    """It descends from that commit; every branch does so from no commit at all."""
    BEHIND = "behind"
    """That commit descends from it; or the branch is not there."""
    APART = "apart"


@dataclass(frozen=True)
class Sight:
    """A branch as it was just read, here and on the remote."""

    branch: str
    here: str | None
    there: str | None
    known: str | None
    """Where it was on the remote when we last put it there or followed it."""
    from_here: Standing
    from_known: Standing


@dataclass(frozen=True)
class Rest:
    """Both are the same."""


@dataclass(frozen=True)
class Follow:
    """Move the branch here forward to what the remote has, and write on top of that."""

    commit: str


@dataclass(frozen=True)
class Push:
    """Put what is here on the remote, if the branch still is at `expected` there."""

    expected: str | None
    commit: str


@dataclass(frozen=True)
class Wait:
    """Read the branch again later: nothing is known to be wrong."""

    reason: str


@dataclass(frozen=True)
class Stop:
    """A person must act."""

    reason: str


Step = Rest | Follow | Push | Wait | Stop


def home_step(sight: Sight, attempt: Attempt = Attempt.NONE, said: str = "") -> Step:
    """Return what to do where the remote's branch is the truth.

    `attempt` is the push, of commits on top of `here`, after which the branch was read; `said` is the remote's word
    on it, for people. Commits that the remote has count as ours from then on, whoever put them there; what is
    here and was never there is put there.
    """
    match sight.from_known, sight.from_here:
        case (Standing.BEHIND | Standing.APART, _):
            return Stop(_rewritten(sight))
        case (_, Standing.APART):
            return Stop(_went_apart(sight))
        case (_, Standing.AHEAD):
            return Follow(sight.there or "")
        case _:
            return _unmoved(sight, attempt, said)


def mirror_step(sight: Sight, attempt: Attempt = Attempt.NONE, said: str = "") -> Step:
    """Return what to do where the branch here is the truth and the remote only shows it.

    Nothing is ever taken from a mirror: a move that we did not make is for a person to look at.
    """
    match sight.from_known, sight.from_here:
        case (Standing.BEHIND | Standing.APART, _) | (_, Standing.AHEAD | Standing.APART):
            return Stop(_moved_by_others(sight))
        case (_, Standing.SAME):
            return Rest()
        case _:
            return _unmoved(sight, attempt, said)


def _unmoved(sight: Sight, attempt: Attempt, said: str) -> Step:
    """Return what to do where nobody else moved the branch on the remote."""
    match attempt:
        case Attempt.REJECTED:
            return Stop(_refused(sight, said))
        case Attempt.UNKNOWN:
            return Wait(f"no answer to a push of {sight.branch}: {said or 'nothing was said'}")
    if sight.from_here is Standing.BEHIND and sight.here is not None:
        return Push(sight.there, sight.here)
    return Rest()


def _rewritten(sight: Sight) -> str:
    return (
        f"history-rewritten: {sight.branch} is {_at(sight.there)} on the remote, which does not descend from "
        f"{sight.known}, where it was; nothing is written. Put it back there, or accept it with `ordain adopt`"
    )


def _went_apart(sight: Sight) -> str:
    return (
        f"{sight.branch} is {_at(sight.there)} on the remote and at {sight.here} here, and neither descends from the "
        "other: it is not the repository of this platform, or two platforms wrote to it. Give the remote this history"
    )


def _moved_by_others(sight: Sight) -> str:
    before = f"where it was put at {sight.known}" if sight.known else "where nothing was put yet"
    return (
        f"foreign-move: {sight.branch} is {_at(sight.there)} on the mirror, {before}, and that is not from here. "
        f"Nothing is taken from a mirror; move its {sight.branch} back or delete it there, and keep others from pushing"
    )


def _refused(sight: Sight, said: str) -> str:
    return (
        f"push-refused: the remote does not take {sight.branch}, though nobody moved it; it says: {said or 'nothing'}. "
        "Let the platform's account push there: look at branch protection, hooks and what the token may do"
    )


def _at(commit: str | None) -> str:
    return f"at {commit}" if commit else "absent"
