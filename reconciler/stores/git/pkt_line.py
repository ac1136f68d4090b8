"""Packet lines, which git's processes speak with each other.

Format: gitprotocol-common(5), "pkt-line Format": four hex digits of the whole length, then the payload.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

FLUSH = b"0000"
_PREFIX = 4
_LONGEST = 65_520
MOST_LINES = 1_000
"""Of one section; a push of more refs than that is none of a person's."""


class Malformed(Exception):
    """What came is not the protocol."""


def packet(payload: bytes) -> bytes:
    """Return one line. Raises Malformed where it is longer than a line can be."""
    length = len(payload) + _PREFIX
    if length > _LONGEST:
        raise Malformed(f"a packet line holds {_LONGEST - _PREFIX} bytes, not {len(payload)}")
    return b"%04x" % length + payload


def section(payloads: Iterable[bytes]) -> bytes:
    """Return lines with the flush that ends them."""
    return b"".join(map(packet, payloads)) + FLUSH


async def read_section(reader: asyncio.StreamReader) -> list[bytes]:
    """Read up to the next flush; a newline at a payload's end is not part of it.

    Raises Malformed for anything that is no section of at most MOST_LINES.
    """
    payloads: list[bytes] = []
    while (payload := await _read(reader)) is not None:
        payloads.append(payload.removesuffix(b"\n"))
        if len(payloads) > MOST_LINES:
            raise Malformed(f"more than {MOST_LINES} lines in one section")
    return payloads


async def _read(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next payload; None for a flush."""
    try:
        prefix = await reader.readexactly(_PREFIX)
        length = int(prefix, 16)
        if length == 0:
            return None
        if not _PREFIX <= length <= _LONGEST:
            raise Malformed(f"no data line is {length} bytes long")
        return await reader.readexactly(length - _PREFIX)
    except ValueError as error:
        raise Malformed(f"{prefix!r} is no length of a packet line") from error
    except asyncio.IncompleteReadError as error:
        raise Malformed(f"the stream ended in a packet line, after {error.partial!r}") from error
