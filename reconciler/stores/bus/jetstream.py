"""The Bus port on NATS JetStream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig

from reconciler.planning.events import Event
from reconciler.ports.errors import Waiting

STREAM = "ORDAIN"
CONNECT_SECONDS = 5.0
PUBLISH_SECONDS = 5.0
FETCH_SECONDS = 5.0
DEDUPLICATION_SECONDS = 600.0
"""How long the stream remembers ids: far longer than a publisher needs to come back after a crash."""
KEPT_SECONDS = 7 * 24 * 3600.0
KEPT_BYTES = 1 << 30
STREAM_CONFIG = StreamConfig(
    name=STREAM,
    subjects=["ordain.>"],
    duplicate_window=DEDUPLICATION_SECONDS,
    max_age=KEPT_SECONDS,
    max_bytes=KEPT_BYTES,
)


class JetStreamBus:
    """One connection; streams and consumers are made where they are missing."""

    def __init__(self, url: str) -> None:
        """Prepare; the first call connects."""
        self._url = url
        self._client: Client | None = None
        self._stream_known = False
        self._connecting = asyncio.Lock()

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish in order; returns when the stream has them. An id that it has already is dropped there."""
        stream = await self._stream()
        try:
            for event in events:
                body = json.dumps(event.to_cloudevent()).encode()
                headers = {"Nats-Msg-Id": str(event.id), "content-type": "application/cloudevents+json"}
                await stream.publish(event.subject, body, timeout=PUBLISH_SECONDS, stream=STREAM, headers=headers)
        except (nats.errors.Error, TimeoutError) as error:
            raise self._waiting(error) from error

    async def hints(self, durable: str, subject: str) -> AsyncIterator[str]:
        """Yield the subject of each event as it arrives, for a durable consumer.

        Ends with Waiting when the stream cannot be reached; the caller comes back.
        """
        stream = await self._stream()
        try:
            config = ConsumerConfig(filter_subject=subject, max_deliver=3, ack_wait=10)
            consumer = await stream.pull_subscribe(subject, durable=durable, stream=STREAM, config=config)
            while True:
                for message in await _fetch(consumer):
                    yield message.subject
                    await message.ack()
        except (nats.errors.Error, TimeoutError) as error:
            raise self._waiting(error) from error

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()

    async def _stream(self) -> JetStreamContext:
        """Return the stream, connected and made where it is not known to be there."""
        async with self._connecting:
            try:
                if self._client is None or self._client.is_closed:
                    self._client = await _connect(self._url)
                context = self._client.jetstream()
                if not self._stream_known:
                    await context.add_stream(STREAM_CONFIG)
                    self._stream_known = True
            except (nats.errors.Error, OSError, TimeoutError) as error:
                raise self._waiting(error) from error
        return context

    def _waiting(self, error: Exception) -> Waiting:
        """Return what to raise. A server may have come back without its data: the stream is looked for again."""
        self._stream_known = False
        return Waiting(f"NATS: {error!r}")


async def _connect(url: str) -> Client:
    async with asyncio.timeout(CONNECT_SECONDS):  # the client itself would try for ever, the first time too
        return await nats.connect(
            url, max_reconnect_attempts=-1, reconnect_time_wait=0.2, connect_timeout=2, error_cb=_ignore
        )


async def _ignore(_: Exception) -> None:
    """Say nothing: every call that fails for a lost connection raises Waiting itself."""


async def _fetch(consumer: JetStreamContext.PullSubscription) -> Sequence[Msg]:
    try:
        return await consumer.fetch(batch=50, timeout=FETCH_SECONDS)
    except nats.errors.TimeoutError:
        return ()
