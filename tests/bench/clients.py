"""Clients that ask for runs, as a process of its own: `python -m tests.bench.clients`, its work as JSON on stdin.

They speak HTTP/1.1 over kept connections by hand: a client library would cost more than the server measured.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.tables import ROOT

PROJECT = "fraud"


@dataclass(frozen=True)
class Load:
    """So many clients, each asking again as soon as it has its answer."""

    port: int
    hosts: Sequence[str]
    """Of the tenants that the clients share out among them."""
    clients: int
    each: int
    """Requests of one client."""
    name: str
    """What the names of its runs begin with."""
    every: float = 0.0
    """Seconds from one request of a client to its next, if it has its answer by then."""


@dataclass(frozen=True)
class Answer:
    """What one client was told, and when."""

    status: int
    seconds: float
    commit: str
    run: str


@dataclass(frozen=True)
class Answers:
    """All answers, and the seconds from the first request to the last answer."""

    seconds: float
    all: Sequence[Answer]


def ask(load: Load) -> Answers:
    """Let the clients ask, in a process of their own, and return what they were told."""
    command = [sys.executable, "-m", "tests.bench.clients"]
    done = subprocess.run(
        command, input=json.dumps(asdict(load)).encode(), stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    found = json.loads(done.stdout)
    return Answers(found["seconds"], [Answer(**each) for each in found["all"]])


async def _ask(load: Load) -> Answers:
    began = time.perf_counter()
    told = await asyncio.gather(*(_client(load, number) for number in range(load.clients)))
    return Answers(time.perf_counter() - began, [answer for answers in told for answer in answers])


async def _client(load: Load, number: int) -> list[Answer]:
    host = load.hosts[number % len(load.hosts)]
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    answers, due = [], time.perf_counter() + load.every * number / load.clients
    for turn in range(load.each):
        await asyncio.sleep(due - time.perf_counter())
        answers.append(await _post(reader, writer, host, f"{load.name}-{number}-{turn}"))
        due += load.every
    writer.close()
    return answers


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, run: str) -> Answer:
    body = json.dumps({"template_id": "hello@1.0.0", "params": {"echo": run}, "name": run}).encode()
    head = (
        f"POST /api/v1/runs?wait=30&project={PROJECT} HTTP/1.1\r\nhost: {host}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    began = time.perf_counter()
    writer.write(head.encode() + body)
    status, answer = await _read(reader)
    return Answer(status, time.perf_counter() - began, answer.get("commit", ""), run)


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    length = next(int(line.partition(":")[2]) for line in head if line.startswith("content-length:"))
    answer: dict[str, Any] = json.loads(await reader.readexactly(length))
    return int(head[0].split()[1]), answer


if __name__ == "__main__":
    json.dump(asdict(asyncio.run(_ask(Load(**json.load(sys.stdin))))), sys.stdout)
