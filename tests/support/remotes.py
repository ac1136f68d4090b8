"""A remote on this disk that misbehaves as remotes do, and a queue that is looked at while it is closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from pathlib import Path
from uuid import UUID

import pytest

from reconciler.planning.remote import Attempt
from reconciler.planning.writing import Refused
from reconciler.ports.changes import ChangeStep
from reconciler.ports.errors import Waiting
from reconciler.ports.remote import Pushed, RefUpdate
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.ports.requests import Closing, RequestState
from reconciler.stores.fake_requests import MemoryQueue
from reconciler.stores.git import remote as git_remote
from reconciler.stores.git.remote import GitRemote
from reconciler.stores.git.repository import GitRepository
from tests.support.repositories import NOON, PLATFORM


class Fault(Enum):
    """What goes wrong with a push."""

    NOTHING = auto()
    OVERTAKEN = auto()
    """Somebody else's push comes first."""
    ANSWER_LOST = auto()
    """It is taken, and the answer does not arrive."""
    CUT_OFF = auto()
    """It does not arrive."""
    LATE = auto()
    """It is given up, and taken when the branch was read once more."""
    REFUSED = auto()
    """The remote does not want it."""


class FaultyRemote(GitRemote):
    """A bare repository on this disk, by git's own transport."""

    def __init__(self, here: Path, there: GitRepository, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(git_remote, "_PROTOCOLS", "file")
        super().__init__(here, f"file://{there.path}")
        self.there = there
        self.faults: list[Fault] = []
        self.down = False
        self.pushes = 0
        self._late: list[Sequence[RefUpdate]] = []

    def heads(self, refs: Sequence[str]) -> Mapping[str, str]:
        if self.down:
            raise Waiting("the remote is down")
        found = super().heads(refs)
        while self._late:
            super().push(self._late.pop())
        return found

    def push(self, updates: Sequence[RefUpdate]) -> Pushed:
        self.pushes += 1
        if self.down:
            return Pushed(Attempt.UNKNOWN, "the remote is down")
        match self.faults.pop(0) if self.faults else Fault.NOTHING:
            case Fault.REFUSED:
                return Pushed(Attempt.REJECTED, "protected branch")
            case Fault.CUT_OFF:
                return Pushed(Attempt.UNKNOWN, "no answer")
            case Fault.LATE:
                self._late.append(updates)
                return Pushed(Attempt.UNKNOWN, "no answer")
            case Fault.ANSWER_LOST:
                super().push(updates)
                return Pushed(Attempt.UNKNOWN, "no answer")
            case Fault.OVERTAKEN:
                foreign_commit(self.there, {f"notes/{self.pushes}.md": b"theirs"})
        return super().push(updates)


def foreign_commit(there: GitRepository, files: Mapping[str, bytes | None], message: str = "By hand") -> str:
    """Let somebody else move main on the remote."""
    head = there.head()
    (made,) = there.append("foreign", head, [NewCommit(PLATFORM, PLATFORM, NOON, f"{message}\n", files)])
    there.move(MAIN, head, made)
    return made


class Held:
    """A lock that nobody takes away."""

    async def verify(self) -> None:
        return None


class WatchedQueue(MemoryQueue):
    """The request queue in memory; `closed` is called with what is about to be closed."""

    def __init__(self, closed: Callable[[Sequence[Closing]], None]) -> None:
        super().__init__()
        self.closed = closed

    async def close(
        self,
        closings: Sequence[Closing],
        refused: Sequence[Refused],
        head: str | None,
        steps: Sequence[ChangeStep] = (),
    ) -> None:
        self.closed(closings)
        await super().close(closings, refused, head, steps)

    @property
    def head(self) -> str | None:
        """The cursor."""
        return self.requests.cursor

    @property
    def answers(self) -> dict[UUID, str]:
        """The commits of the requests that were carried out."""
        rows = self.requests.rows.items()
        return {id_: row.status.commit for id_, row in rows if row.status.state is RequestState.COMMITTED}

    @property
    def refused(self) -> set[UUID]:
        """The requests that were refused."""
        return {id_ for id_, row in self.requests.rows.items() if row.status.state is RequestState.REFUSED}
