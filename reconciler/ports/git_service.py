"""Port: the repository as git's own clients reach it, by the smart protocol over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from reconciler.planning.pushes import PushedCommit, RefUpdate


class Service(StrEnum):
    """What a client asks for; the names are those of the protocol."""

    READ = "git-upload-pack"
    """Clone and fetch."""
    PUSH = "git-receive-pack"


@dataclass(frozen=True)
class GitCall:
    """One HTTP request of the protocol, as far as git wants to know."""

    service: Service
    advertise: bool
    """Whether it asks what there is (GET info/refs), or does it (POST)."""
    protocol: str = ""
    """The header Git-Protocol."""
    encoding: str = ""
    """The header Content-Encoding."""


@dataclass(frozen=True)
class RefAnswer:
    """What became of one ref of a push."""

    ref: str
    refused: str = ""
    """Why nothing came of it, in one line; empty where it was taken."""
    old: str = ""
    new: str = ""
    """Between which commits the branch moved."""
    shown: str = ""
    """Another name for the ref, where the client shall not take `new` for what it has of it."""


@dataclass(frozen=True)
class PushAnswer:
    """The answer to a push: a line for each ref, and what the person's terminal shows before them."""

    refs: Sequence[RefAnswer]
    said: Sequence[str] = ()


class TooMuch(Exception):
    """A push brings more than is looked at; the message says of what, and how much fits."""


class PushedObjects(Protocol):
    """The objects of one push, beside those of the repository; they are gone once the push is answered."""

    async def commits(self, tip: str, bases: Sequence[str]) -> Sequence[PushedCommit]:
        """Return the commits of `tip` that none of `bases` holds, every parent before its children.

        Raises TooMuch beyond the bounds of a push, and KeyError where `tip` is no commit.
        """
        ...


Receive = Callable[[PushedObjects, Sequence[RefUpdate]], Awaitable[PushAnswer]]
"""Decides a push: what it is given stays until it returns."""


class GitExchange(Protocol):
    """One call while it is served."""

    async def feed(self, chunk: bytes) -> None:
        """Hand over a part of the request's body; what nobody reads any more is dropped."""
        ...

    async def end(self) -> None:
        """Say that the request's body is complete."""
        ...

    async def head(self) -> tuple[int, Mapping[str, str]]:
        """Return status and headers. Raises Waiting where there are none."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """Yield the answer's body as it comes."""
        ...


class GitService(Protocol):
    """Serves calls, a bounded number at once.

    A push never moves a ref and leaves no object behind: it is told to `receive`, whose answer is the push's.
    """

    def serve(self, call: GitCall, receive: Receive) -> AbstractAsyncContextManager[GitExchange]:
        """Serve a call until the block ends; whatever still runs then is ended. Raises Waiting when too much runs."""
        ...
