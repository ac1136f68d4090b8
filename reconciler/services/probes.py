"""Asking a part whether it works: one short exchange in its own protocol, without its client library."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import struct
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_SECONDS = 2.0
# Version 3.0 of Postgres's frontend/backend protocol, as the startup message carries it.
_POSTGRES_PROTOCOL = 3 << 16

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def http_status_on_port(host: str, port: int, target: str, method: str = "GET", body: bytes = b"") -> int:
    """Return the status code; raises OSError when nobody answers in two seconds."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        return await _http_status(await asyncio.open_connection(host, port), target, method, body)


async def http_status_on_socket(path: Path, target: str) -> int:
    """Return the status code; raises OSError when nobody answers in two seconds."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        return await _http_status(await asyncio.open_unix_connection(path), target, "GET")


async def postgres_accepts(socket: Path, user: str, database: str) -> bool:
    """Say whether Postgres asks for a password: while it starts or recovers it sends an error instead."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_unix_connection(socket)
        try:
            pairs = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
            body = struct.pack("!i", _POSTGRES_PROTOCOL) + pairs + b"\0"
            writer.write(struct.pack("!i", len(body) + 4) + body)
            return await reader.read(1) == b"R"
        finally:
            writer.close()


def s3_presigned(method: str, resource: str, access_key: str, secret_key: str) -> str:
    """Return the signed target of a request for a bucket, or `<bucket>/<key>`.

    Format: "Authenticating requests using query parameters (version 2)" of Amazon's S3 user guide.
    """
    expires = str(int(time.time()) + 60)
    text = f"{method}\n\n\n{expires}\n/{resource}"
    digest = hmac.new(secret_key.encode(), text.encode(), hashlib.sha1).digest()
    query = {"AWSAccessKeyId": access_key, "Expires": expires, "Signature": base64.b64encode(digest).decode()}
    return f"/{resource}?{urlencode(query)}"


async def _http_status(streams: Streams, target: str, method: str, body: bytes = b"") -> int:
    reader, writer = streams
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        writer.write(head.encode() + body)
        words = (await reader.readline()).split()
        return int(words[1]) if len(words) > 1 else 0
    finally:
        writer.close()
