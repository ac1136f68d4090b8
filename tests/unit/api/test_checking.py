"""How checks share the interpreter with whoever is served meanwhile."""

from __future__ import annotations

import asyncio
import threading

import pytest

from api.http.checking import LARGE_BYTES, Checks, size_of

pytestmark = pytest.mark.anyio

SECONDS = 10.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_large_ones_come_one_after_the_other() -> None:
    checks, running, most = Checks(), 0, 0

    def check() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        threading.Event().wait(0.01)
        running -= 1

    await asyncio.gather(*(checks.run(LARGE_BYTES, check) for _ in range(5)))
    assert most == 1


async def test_small_ones_wait_for_nobody() -> None:
    checks, done = Checks(), threading.Event()
    large = asyncio.create_task(checks.run(LARGE_BYTES, lambda: done.wait(SECONDS)))
    await checks.run(LARGE_BYTES - 1, done.set)
    assert await large


async def test_one_that_fails_lets_the_next_begin() -> None:
    checks = Checks()
    with pytest.raises(ZeroDivisionError):
        await checks.run(LARGE_BYTES, lambda: 1 // 0)
    assert await checks.run(LARGE_BYTES, lambda: "next") == "next"


def test_sizes_count_what_is_written() -> None:
    assert size_of({"a": b"12", "b": None, "c": b"3"}) == 3
