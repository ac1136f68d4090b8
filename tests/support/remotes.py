"""A remote on this disk that misbehaves as remotes do, and a ledger in memory beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from uuid import UUID

import pytest

from reconciler.planning.remote import Attempt
from reconciler.planning.writing import Refused, RequestId, WriteRequest
from reconciler.ports.errors import Waiting
from reconciler.ports.remote import Pushed, RefUpdate
from reconciler.ports.remotes import RemoteStatus
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.ports.requests import Closing, RequestState, RequestStatus, WriterLock
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


@dataclass
class RemotesInMemory:
    """The RemoteLedger port."""

    known: dict[str, RemoteStatus] = field(default_factory=dict)
    pushed: set[UUID] = field(default_factory=set)

    async def remotes(self) -> Mapping[str, RemoteStatus]:
        return dict(self.known)

    async def tell(self, name: str, reason: str) -> None:
        before = self.known.get(name)
        self.known[name] = RemoteStatus(before.commit if before else "", reason, datetime.now(UTC))

    async def reached(self, name: str, commit: str, requests: Sequence[UUID] = ()) -> None:
        self.known[name] = RemoteStatus(commit, "", datetime.now(UTC))
        self.pushed |= set(requests)

    def reason(self, name: str) -> str:
        """Return why nothing goes there."""
        return self.known[name].reason if name in self.known else ""


class Held:
    """A lock that nobody takes away."""

    async def verify(self) -> None:
        return None


@dataclass
class QueueInMemory:
    """The WriterQueue port; `closed` is called with the answers of each closing transaction."""

    requests: dict[UUID, WriteRequest] = field(default_factory=dict)
    answers: dict[UUID, str] = field(default_factory=dict)
    refused: set[UUID] = field(default_factory=set)
    head: str | None = None
    closed: Callable[[Sequence[Closing]], None] = lambda _: None

    async def put(self, request: WriteRequest) -> None:
        self.requests.setdefault(request.id, request)

    async def status(self, request: UUID) -> RequestStatus | None:
        state = RequestState.COMMITTED if request in self.answers else RequestState.WAITING
        return RequestStatus(RequestId(request), state, self.answers.get(request, ""), (), (), conflict=False)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[WriterLock]:
        yield Held()

    async def waiting(self, limit: int) -> Sequence[WriteRequest]:
        waiting = [each for id_, each in self.requests.items() if id_ not in self.answers and id_ not in self.refused]
        return waiting[:limit]

    async def cursor(self) -> str | None:
        return self.head

    async def close(self, closings: Sequence[Closing], refused: Sequence[Refused], head: str | None) -> None:
        self.closed(closings)
        for each in closings:
            if each.request in self.requests:
                self.answers.setdefault(each.request, each.commit)
        self.refused |= {each.request.id for each in refused}
        self.head = head or self.head

    async def crashed(self, request: UUID, reason: str) -> None:
        raise AssertionError(reason)
