"""Packet lines: what is written is read, and nothing else is."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.stores.git.pkt_line import MOST_LINES, Malformed, packet, read_section, section

PAYLOADS = st.lists(st.binary(max_size=200).filter(lambda each: not each.endswith(b"\n")), max_size=20)


def read(stream: bytes, sections: int = 1) -> list[list[bytes]]:
    async def reading() -> list[list[bytes]]:
        reader = asyncio.StreamReader()
        reader.feed_data(stream)
        reader.feed_eof()
        return [await read_section(reader) for _ in range(sections)]

    return asyncio.run(reading())


@given(PAYLOADS, PAYLOADS)
def test_sections_are_read_as_they_were_written(one: list[bytes], other: list[bytes]) -> None:
    assert read(section(one) + section(other), 2) == [one, other]


def test_lines_are_as_the_protocol_has_them() -> None:
    # The examples of gitprotocol-common(5).
    assert packet(b"a\n") == b"0006a\n"
    assert packet(b"foobar\n") == b"000bfoobar\n"
    assert section([]) == b"0000"
    assert read(b"0006a\n0005a0000") == [[b"a", b"a"]]


@given(st.binary(max_size=100))
def test_noise_is_malformed_or_a_section(noise: bytes) -> None:
    try:
        found = read(noise)
    except Malformed:
        return
    assert len(section(found[0])) <= len(noise)


@pytest.mark.parametrize("stream", [b"", b"000", b"0006", b"0006a", b"zzzz", b"-001", b"0001", b"0003", b"fff1"])
def test_what_is_no_line_is_refused(stream: bytes) -> None:
    with pytest.raises(Malformed):
        read(stream)


def test_lines_and_sections_are_bounded() -> None:
    with pytest.raises(Malformed, match="65516 bytes, not 65517"):
        packet(bytes(65_517))
    with pytest.raises(Malformed, match=f"more than {MOST_LINES} lines"):
        read(section([b"x"] * (MOST_LINES + 1)))
