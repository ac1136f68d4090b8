"""The other end of git's hook proc-receive: reads what a push wants, and answers.

Format: githooks(5), "proc-receive". The hook itself only hands over its pipes (hand_over.py).
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence

from reconciler.planning.pushes import RefUpdate
from reconciler.ports.git_service import PushAnswer, RefAnswer
from reconciler.stores.git.hand_over import DONE
from reconciler.stores.git.pkt_line import Malformed, read_section, section

VERSION = b"version=1"
_NONE = "0" * 40
_COMMAND = re.compile(rb"[0-9a-f]{40} ([0-9a-f]{40}) (.+)")
_PIPES = 3
_MOST_REASON_BYTES = 300

Decide = Callable[[Sequence[RefUpdate]], Awaitable[PushAnswer]]


async def answer_push(channel: socket.socket, decide: Decide) -> None:
    """Wait for the hook, tell `decide` what is pushed, and answer the hook with what that returns.

    Returns at once where git ends without it, as after a pack that it refuses. Raises Malformed where the hook says
    something else than it must.
    """
    pipes = await _pipes(channel)
    if pipes is None:
        return
    reader, answers, terminal = pipes
    try:
        answer = await decide(await _asked(reader, answers))
        terminal.write("".join(f"{line}\n" for line in answer.said).encode())
        answers.write(section(_report(answer.refs)))
    finally:
        # What is written still goes out before they close.
        answers.close()
        terminal.close()
    channel.send(DONE)


async def _asked(reader: asyncio.StreamReader, answers: asyncio.WriteTransport) -> Sequence[RefUpdate]:
    """Agree on the protocol, without any of its features, and read the commands."""
    version, *_ = await read_section(reader) or [b""]
    if version.partition(b"\0")[0] != VERSION:
        raise Malformed(f"the hook is told {version!r}, not {VERSION!r}")
    answers.write(section([VERSION]))
    return [_update(line) for line in await read_section(reader)]


def _update(line: bytes) -> RefUpdate:
    if match := _COMMAND.fullmatch(line):
        new, ref = match[1].decode(), match[2].decode(errors="replace")
        return RefUpdate(ref, None if new == _NONE else new)
    raise Malformed(f"{line!r} is no command of a push")


def _report(answers: Sequence[RefAnswer]) -> Iterator[bytes]:
    for answer in answers:
        if answer.refused:
            reason = " ".join(answer.refused.split()).encode()[:_MOST_REASON_BYTES]
            yield b"ng %s %s" % (answer.ref.encode(), reason)
            continue
        yield b"ok %s" % answer.ref.encode()
        for name, value in (("refname", answer.shown), ("old-oid", answer.old), ("new-oid", answer.new)):
            if value:
                yield f"option {name} {value}".encode()


async def _pipes(
    channel: socket.socket,
) -> tuple[asyncio.StreamReader, asyncio.WriteTransport, asyncio.WriteTransport] | None:
    """Receive the hook's standard input, output and error; None where there is no hook any more."""
    await _readable(channel)
    _, pipes, _, _ = socket.recv_fds(channel, len(DONE), _PIPES)
    if len(pipes) != _PIPES:
        return None
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    files = [os.fdopen(pipe, mode, buffering=0) for pipe, mode in zip(pipes, ("rb", "wb", "wb"), strict=True)]
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), files[0])
    answers, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, files[1])
    terminal, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, files[2])
    return reader, answers, terminal


async def _readable(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(channel, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(channel)
