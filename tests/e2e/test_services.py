"""The embedded parts for real: each answers its own client, comes back after a kill, leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path

import httpx
import nats
import psycopg
import pytest
from obstore.store import S3Store

from reconciler.process_identity import ProcessIdentity, is_alive
from reconciler.services.control import start_detached, stop
from reconciler.services.layout import Layout
from reconciler.services.lock import supervisor_of
from reconciler.services.record import PartState, read_records
from reconciler.services.seaweedfs import seaweedfs
from reconciler.services.settings import HOST, PostgresRole, Settings
from reconciler.services.status import PartStatus, collect
from reconciler.services.sweep import end_parts

pytestmark = pytest.mark.parts

START_SECONDS = 60.0
PARTS = ("envoy", "nats", "postgres", "s3")
MEGABYTE = 1 << 20


def host_command(layout: Layout) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("services_host.py")), str(layout.root)]


def start(layout: Layout) -> Settings:
    asyncio.run(start_detached(layout, host_command(layout), START_SECONDS))
    return Settings.load(layout)


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """A root below a folder that only its owner may enter."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    root = closed / "checkout"
    root.mkdir()
    made = Layout(root)
    yield made
    asyncio.run(stop(made))


async def postgres_answers(settings: Settings) -> None:
    async with await psycopg.AsyncConnection.connect(settings.postgres_dsn(PostgresRole.API)) as connection:
        row = await (await connection.execute("SELECT current_user, current_setting('is_superuser')")).fetchone()
    assert row == ("ordain_api", "off")


async def nats_answers(settings: Settings) -> None:
    client = await nats.connect(settings.nats_url, allow_reconnect=False)
    try:
        stream = client.jetstream()
        await stream.add_stream(name="TEST", subjects=["test.>"])
        assert (await stream.publish("test.one", b"one")).stream == "TEST"
    finally:
        await client.close()


async def s3_answers(settings: Settings) -> None:
    for bucket in ("artifacts", "models", "records"):
        store = S3Store(
            bucket,
            endpoint=settings.s3_endpoint,
            access_key_id=settings.s3_access_key,
            secret_access_key=settings.s3_secret_key,
            region="us-east-1",
            client_options={"allow_http": True},
        )
        await store.put_async("one", b"one")
        assert bytes(await (await store.get_async("one")).bytes_async()) == b"one"


async def envoy_answers(settings: Settings) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{HOST}:{settings.edge_port}/")
    assert answer.status_code == httpx.codes.NOT_FOUND  # no route yet: the edge driver writes those
    assert answer.headers["server"] == "ordain"


ANSWERS: dict[str, Callable[[Settings], Coroutine[None, None, None]]] = {
    "postgres": postgres_answers,
    "nats": nats_answers,
    "s3": s3_answers,
    "envoy": envoy_answers,
}


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {START_SECONDS:.0f} s for: {what}"
        time.sleep(0.05)


def part(layout: Layout, name: str) -> PartStatus:
    (found,) = [each for each in collect(layout).parts if each.name == name]
    return found


def came_back(layout: Layout, name: str) -> bool:
    seen = part(layout, name)
    return seen.restarts == 1 and seen.health == PartState.READY


def processes(layout: Layout) -> list[ProcessIdentity]:
    return [record.process for record in read_records(layout).values() if record.process is not None]


def test_each_part_answers_and_comes_back_after_a_kill(layout: Layout) -> None:
    settings = start(layout)
    for answers in ANSWERS.values():
        asyncio.run(answers(settings))
    for name in PARTS:
        killed = part(layout, name)
        os.kill(killed.pid, signal.SIGKILL)
        until(partial(came_back, layout, name), f"{name} to come back")
        asyncio.run(ANSWERS[name](settings))
    shown = collect(layout)
    assert shown.healthy
    assert 0 < shown.memory < 400 * MEGABYTE, "half of what the platform may take when idle"


def test_the_next_start_ends_what_a_killed_supervisor_left(layout: Layout) -> None:
    start(layout)
    left = processes(layout)
    supervisor = supervisor_of(layout)
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: supervisor_of(layout) is None, "the supervisor's lock to be free")
    assert all(is_alive(process) for process in left)

    settings = start(layout)
    assert collect(layout).healthy, "it came back only when every part was ready"
    assert not any(is_alive(process) for process in left)
    for answers in ANSWERS.values():
        asyncio.run(answers(settings))


def test_stop_leaves_nothing_and_a_second_start_keeps_what_was_stored(layout: Layout) -> None:
    settings = start(layout)
    with psycopg.connect(settings.postgres_dsn(PostgresRole.OWNER)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'yes' AS answer")
    asyncio.run(s3_answers(settings))
    started = processes(layout)

    assert asyncio.run(stop(layout)).ran
    assert not any(is_alive(process) for process in started)
    assert supervisor_of(layout) is None
    assert not asyncio.run(stop(layout)).ran, "nothing was left to stop"
    assert asyncio.run(end_parts(layout)) == []
    assert not any(file.exists() for file in seaweedfs(settings).litter)

    with socket.socket() as other:  # somebody else takes a port meanwhile
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # over connections of the one that ended
        other.bind((HOST, settings.ports.s3_master))
        other.listen()
        again = start(layout)
    assert again.ports.s3_master != settings.ports.s3_master
    assert again.ports.edge == settings.ports.edge
    with psycopg.connect(again.postgres_dsn(PostgresRole.OWNER)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == ("yes",)
    asyncio.run(s3_answers(again))
