from __future__ import annotations

import asyncio
import contextlib

import pytest

from api.composition.process import background

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_task_that_loses_a_cancellation_is_ended_by_the_next() -> None:
    lost: list[str] = []

    async def deaf_once() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        lost.append("one")
        await asyncio.Event().wait()

    async with background(deaf_once()) as running:
        await asyncio.sleep(0)
    assert lost == ["one"]
    assert all(task.cancelled() for task in running)
