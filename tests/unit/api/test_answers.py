"""Who is woken when requests are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from uuid import uuid4

import pytest

from api.http.context import Answers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def woken(*waits: Awaitable[None]) -> list[bool]:
    """Return which of the waits have ended by now."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    for _ in range(3):
        await asyncio.sleep(0)
    done = [task.done() for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


async def test_an_answer_wakes_who_waits_for_it_and_who_waits_for_any() -> None:
    answers, one, two, three = Answers(), uuid4(), uuid4(), uuid4()
    hints = [answers.of(one), answers.of(one), answers.of(two), answers.of(three), answers.next()]
    answers(f"{one} {two} {uuid4()}")
    assert await woken(*(hint.wait(60) for hint in hints)) == [True, True, True, False, True]


async def test_an_answer_without_a_name_wakes_everyone() -> None:
    answers = Answers()
    hints = [answers.of(uuid4()), answers.next()]
    answers()
    assert await woken(*(hint.wait(60) for hint in hints)) == [True, True]


async def test_who_waits_again_is_woken_by_the_next_answer_only() -> None:
    answers, one = Answers(), uuid4()
    first = answers.of(one)
    answers(str(one))
    assert await woken(first.wait(60), answers.of(one).wait(60)) == [True, False]
