"""One `git http-backend` a call: a process group with bounds, spoken to as CGI (RFC 3875)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from reconciler.ports.errors import Waiting
from reconciler.ports.git_service import GitCall

log = logging.getLogger(__name__)

Setting = tuple[str, str]

_MEMORY_KIB = 2 << 20
_CPU_SECONDS = 120
# Shells of other systems lack some of these limits; that is no reason to serve nobody.
_LIMITED = f'ulimit -v {_MEMORY_KIB} 2>/dev/null; ulimit -t {_CPU_SECONDS} 2>/dev/null; exec "$@"'
_CHUNK = 64 << 10
_MOST_HEAD_BYTES = 16 << 10
_MOST_WORDS_BYTES = 4 << 10
_END_OF_HEAD = b"\r\n\r\n"


class Exchange:
    """The GitExchange port on the pipes of a process."""

    def __init__(self, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        """Speak with a process that just started."""
        self._stdin = stdin
        self._stdout = stdout
        self._early = b""

    async def feed(self, chunk: bytes) -> None:
        """Hand over a part of the request's body; what git does not read any more is dropped."""
        if self._stdin.is_closing():
            return
        with contextlib.suppress(ConnectionError):
            self._stdin.write(chunk)
            await self._stdin.drain()

    async def end(self) -> None:
        """Say that the request's body is complete."""
        self._stdin.close()

    async def head(self) -> tuple[int, Mapping[str, str]]:
        """Return status and headers. Raises Waiting where there are none."""
        head = b""
        while _END_OF_HEAD not in head:
            chunk = await self._stdout.read(_CHUNK)
            if not chunk or len(head) > _MOST_HEAD_BYTES:
                raise Waiting("git ended without an answer; the log of the API says what it said")
            head += chunk
        head, _, self._early = head.partition(_END_OF_HEAD)
        headers = dict(_headers(head))
        return int(headers.pop("status", "200").split()[0]), headers

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the answer's body as it comes."""
        if self._early:
            yield self._early
        while chunk := await self._stdout.read(_CHUNK):
            yield chunk


def _headers(head: bytes) -> Iterator[Setting]:
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        yield name.strip().lower(), value.strip()


@asynccontextmanager
async def exchange(environment: Mapping[str, str], handed: Sequence[int] = ()) -> AsyncIterator[Exchange]:
    """Run `git http-backend`, with the descriptors `handed`, and end it with all it started."""
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", _LIMITED, "sh", "git", "http-backend"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        pass_fds=handed,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a process was started without the pipes that were asked for")
    words = asyncio.create_task(_words(process.stderr))
    try:
        yield Exchange(process.stdin, process.stdout)
    finally:
        # It waits for those it starts: once it is gone, its group's number may be another's.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if said := await words:
            log.info("git said: %s", said)


async def _words(stderr: asyncio.StreamReader) -> str:
    """Read all that a process says, and return the beginning."""
    said = b""
    while chunk := await stderr.read(_CHUNK):
        said = (said + chunk)[:_MOST_WORDS_BYTES]
    return said.decode(errors="replace").strip()


def environment_of(call: GitCall, repository: Path, settings: Sequence[Setting]) -> dict[str, str]:
    """Return all that git may know: the call in CGI's variables, our settings, and nobody else's."""
    path = "info/refs" if call.advertise else call.service.value
    called = {
        "REQUEST_METHOD": "GET" if call.advertise else "POST",
        "PATH_TRANSLATED": f"{repository}/{path}",
        "QUERY_STRING": f"service={call.service}" if call.advertise else "",
        "CONTENT_TYPE": "" if call.advertise else f"application/x-{call.service}-request",
        "HTTP_CONTENT_ENCODING": call.encoding,
        "GIT_PROTOCOL": call.protocol,
        "GIT_HTTP_EXPORT_ALL": "1",
    }
    own = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(settings)}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(settings)}
    return {**called, **own, **keys, **values}
