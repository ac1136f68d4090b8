"""The repository for git's own clients: `git http-backend` on it to read, and beside it to push.

A push comes into a folder of its own that borrows the repository's objects and has no refs: a client that is told of
no main sends what main lacks, whether or not main moved since it fetched. There it is refused, or becomes requests to
the writer; then the folder is removed, and nothing of it was ever in the repository.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pygit2

from reconciler.planning.pushes import RefUpdate
from reconciler.ports.errors import Waiting
from reconciler.ports.git_service import GitCall, PushAnswer, Receive, Service
from reconciler.ports.repository import MAIN
from reconciler.stores.git.ancestry import Ancestry
from reconciler.stores.git.cgi import Exchange, environment_of, exchange
from reconciler.stores.git.proc_receive import answer_push
from reconciler.stores.git.pushed import Pushed

log = logging.getLogger(__name__)

AT_ONCE = {Service.READ: 4, Service.PUSH: 2}
"""Calls that are served at once; a clone of 100,000 intents keeps one core busy for seconds."""
WAIT_SECONDS = 20.0
"""For how long a call waits for its turn."""
LEFT_AFTER_SECONDS = 3600.0
"""No call takes so long: a folder this old is of a process that was killed."""
MOST_PACK_BYTES = 32 << 20

VISIBLE = ("main", "change", "rendered")
_BOUNDS = {
    # What git maps counts as its memory; a window that is not enough is mapped again.
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    # Larger files are read piece by piece.
    "core.bigFileThreshold": "2m",
    "pack.threads": "1",
    "pack.windowMemory": "64m",
    "http.getanyfile": "false",
}
_READ = (
    *_BOUNDS.items(),
    ("http.receivepack", "false"),
    ("uploadpack.allowAnySHA1InWant", "false"),
    ("uploadpack.hideRefs", "refs/"),
    *(("uploadpack.hideRefs", f"!refs/heads/{name}") for name in VISIBLE),
)
_PUSH = (
    *_BOUNDS.items(),
    ("http.receivepack", "true"),
    ("http.uploadpack", "false"),
    ("core.hooksPath", str(Path(__file__).with_name("hooks"))),
    ("core.fsync", "none"),
    ("receive.procReceiveRefs", "refs"),
    ("receive.fsckObjects", "true"),
    ("receive.maxInputSize", str(MOST_PACK_BYTES)),
    ("receive.unpackLimit", "1"),
    ("receive.hideRefs", "refs/ordain/"),
    ("receive.advertiseAtomic", "false"),
    ("receive.autogc", "false"),
)


class GitHttpBackend:
    """The GitService port on a bare repository of this machine."""

    def __init__(self, repository: Path, pushes: Path) -> None:
        """Serve `repository`; what is pushed comes into folders below `pushes`."""
        self._repository = repository
        self._pushes = pushes
        self._ancestry = Ancestry()
        self._turns = {service: asyncio.Semaphore(count) for service, count in AT_ONCE.items()}

    @asynccontextmanager
    async def serve(self, call: GitCall, receive: Receive) -> AsyncIterator[Exchange]:
        """Serve a call until the block ends; whatever still runs then is ended. Raises Waiting when too much runs."""
        async with self._turn(call.service):
            if call.service is Service.READ:
                async with exchange(environment_of(call, self._repository, _READ)) as reading:
                    yield reading
            else:
                async with self._push(call, receive) as pushing:
                    yield pushing

    @asynccontextmanager
    async def _turn(self, service: Service) -> AsyncIterator[None]:
        turns = self._turns[service]
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turns.acquire()
        except TimeoutError as error:
            raise Waiting(f"{AT_ONCE[service]} others are served now", WAIT_SECONDS) from error
        try:
            yield
        finally:
            turns.release()

    @asynccontextmanager
    async def _push(self, call: GitCall, receive: Receive) -> AsyncIterator[Exchange]:
        folder = await asyncio.to_thread(self._folder)
        ours, theirs = socket.socketpair()
        try:
            settings = (*_PUSH, ("core.alternateRefsCommand", f"cat {shlex.quote(str(folder / _HAVES))} #"))
            handed = {"ORDAIN_PYTHON": sys.executable, "ORDAIN_PUSH": str(theirs.fileno())}
            environment = {**environment_of(call, folder, settings), **handed}
            async with exchange(environment, (theirs.fileno(),)) as pushing, _answering(ours, folder, receive):
                theirs.close()
                yield pushing
        finally:
            theirs.close()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _folder(self) -> Path:
        """Make a repository that borrows the objects of ours and tells clients of main's history, but of no ref."""
        self._pushes.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(self._pushes)
        folder = Path(tempfile.mkdtemp(dir=self._pushes))
        for inner in ("objects/info", "objects/pack", "refs/heads", "refs/ordain"):
            (folder / inner).mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        (folder / "objects" / "info" / "alternates").write_text(f"{self._repository / 'objects'}\n")
        shared = self._shared()
        (folder / _HAVES).write_text("".join(f"{commit}\n" for commit in shared))
        if shared:
            # Hidden from clients; git itself needs to know what is whole, as for pushes from shallow clones.
            (folder / "refs" / "ordain" / "main").write_text(f"{shared[0]}\n")
        return folder

    def _shared(self) -> Sequence[str]:
        """Return main's newest commit and a sample of those before it."""
        # A handle for each push: one that stays would keep packs open that upkeep has replaced.
        repository = pygit2.Repository(str(self._repository))
        head = repository.references.get(MAIN)
        return () if head is None else self._ancestry.sample(repository, str(head.target))


_HAVES = "haves"
"""In the folder of a push: what git tells clients that they need not send."""


@asynccontextmanager
async def _answering(channel: socket.socket, folder: Path, receive: Receive) -> AsyncIterator[None]:
    """Decide the push that the hook tells of, if it comes to that."""

    async def decide(updates: Sequence[RefUpdate]) -> PushAnswer:
        return await receive(Pushed(folder), updates)

    async def answer() -> None:
        try:
            await answer_push(channel, decide)
        except Exception:
            log.exception("a push was not answered")
        finally:
            # The hook ends with it, and says so to the person.
            channel.close()

    channel.settimeout(0)
    answering = asyncio.create_task(answer())
    try:
        yield
    finally:
        answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering


def _clear(pushes: Path) -> None:
    """Remove the folders of calls that were killed with their process."""
    for folder in pushes.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > LEFT_AFTER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
