"""The Bus port on a real NATS JetStream."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import nats as client
import pytest
from nats.js.api import StreamInfo

from reconciler.planning.events import Event, Fact
from reconciler.ports.errors import Waiting
from reconciler.services.nats import nats
from reconciler.services.settings import Settings
from reconciler.stores.bus import JetStreamBus
from reconciler.stores.bus.jetstream import STREAM
from tests.fixtures.parts import settings_at
from tests.support.servers import Server

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

PATIENCE_SECONDS = 30.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings() -> Iterator[Settings]:
    root = Path(tempfile.mkdtemp(prefix="ordain-"))
    yield settings_at(root)
    shutil.rmtree(root)


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    made = Server(nats(settings))
    made.start()
    yield made
    made.kill()


@pytest.fixture
async def bus(server: Server, settings: Settings) -> AsyncIterator[JetStreamBus]:
    made = JetStreamBus(settings.nats_url)
    yield made
    await made.close()


def event(sequence: int, verb: str = "created", tenant: str = "acme") -> Event:
    return Event(uuid4(), sequence, datetime.now(UTC), Fact(tenant, "fraud", "run", verb, "first", "c" * 40, {"a": 1}))


@asynccontextmanager
async def stream(settings: Settings) -> AsyncIterator[client.js.JetStreamContext]:
    connection = await client.connect(settings.nats_url)
    try:
        yield connection.jetstream()
    finally:
        await connection.close()


async def info(settings: Settings) -> StreamInfo:
    async with stream(settings) as context:
        return await context.stream_info(STREAM)


async def heard(bus: JetStreamBus, durable: str, count: int, subject: str = "ordain.>") -> list[str]:
    """Return the first hints for a durable consumer."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(bus.hints(durable, subject)) as hints:  # type: ignore[type-var]
        async for hint in hints:
            found.append(hint)
            if len(found) == count:
                break
    return found


async def test_an_event_published_twice_is_on_the_stream_once(bus: JetStreamBus, settings: Settings) -> None:
    events = [event(1), event(2, "submitted")]
    await bus.publish(events)
    await bus.publish(events)
    assert (await info(settings)).state.messages == 2
    async with stream(settings) as context:
        message = await context.get_msg(STREAM, 1)
    assert message.subject == "ordain.acme.fraud.run.created"
    body = json.loads(message.data or b"")
    assert (body["specversion"], body["id"], body["type"]) == ("1.0", str(events[0].id), "dev.ordain.run.created")
    assert body["data"] == {"tenant": "acme", "project": "fraud", "commit": "c" * 40, "a": 1}


async def test_a_durable_consumer_goes_on_where_it_stopped(bus: JetStreamBus) -> None:
    await bus.publish([event(1, "one"), event(2, "two")])
    assert await heard(bus, "worker", 2) == ["ordain.acme.fraud.run.one", "ordain.acme.fraud.run.two"]
    await bus.publish([event(3, "three")])
    assert await heard(bus, "worker", 1) == ["ordain.acme.fraud.run.three"]
    assert await heard(bus, "other", 3, "ordain.*.*.run.*") != []


async def test_hints_are_of_the_subject_alone(bus: JetStreamBus) -> None:
    await bus.publish([event(1, "created", "globex"), event(2)])
    assert await heard(bus, "mine", 1, "ordain.acme.>") == ["ordain.acme.fraud.run.created"]


async def publish_when_it_is_back(bus: JetStreamBus, events: list[Event]) -> int:
    """Publish as the publisher does, again and again; return how often it had to wait."""
    waited = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await bus.publish(events)
            except Waiting:
                waited += 1
                await asyncio.sleep(0.1)
            else:
                return waited


async def test_a_killed_server_is_waited_for_and_nothing_is_doubled(
    bus: JetStreamBus, server: Server, settings: Settings
) -> None:
    first, second = event(1), event(2)
    await bus.publish([first])
    await asyncio.to_thread(server.kill)
    with pytest.raises(Waiting):
        await bus.publish([first, second])
    await asyncio.to_thread(server.start)
    await publish_when_it_is_back(bus, [first, second])
    assert (await info(settings)).state.messages == 2


async def test_hints_end_with_waiting_and_come_back(bus: JetStreamBus, server: Server) -> None:
    await bus.publish([event(1, "before")])
    assert await heard(bus, "worker", 1) == ["ordain.acme.fraud.run.before"]
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await publish_when_it_is_back(bus, [event(2, "after")])
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "ordain.acme.fraud.run.after" not in found:
            try:
                found += await heard(bus, "worker", 1)
            except Waiting:
                await asyncio.sleep(0.1)


async def test_a_stream_that_was_lost_is_made_again(bus: JetStreamBus, settings: Settings) -> None:
    await bus.publish([event(1)])
    async with stream(settings) as context:
        await context.delete_stream(STREAM)
    await publish_when_it_is_back(bus, [event(2)])
    assert (await info(settings)).state.messages == 1


async def test_no_server_at_all_is_waited_for(settings: Settings) -> None:
    bus = JetStreamBus(settings.nats_url)
    with pytest.raises(Waiting):
        await bus.publish([event(1)])
    await bus.close()
