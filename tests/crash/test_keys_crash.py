"""A client that lost its answer asks again under its key, over HTTP; the writer is killed at each step meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from reconciler.workers.writer import CRASH_POINTS
from tests.crash.test_writer_crash import Place, is_sound, until
from tests.fixtures.write_world import WriteWorld, write_world
from tests.support.ledgers import Ledger
from tests.support.repositories import intent

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
AGAIN = 5
"""How often each client asks again, all at once."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path, ledger: Ledger) -> WriteWorld:
    return write_world(tmp_path, ledger=ledger)


@pytest.fixture
def place(world: WriteWorld, ledger: Ledger, tmp_path: Path) -> Iterator[Place]:
    made = Place(world.repository, ledger, tmp_path)
    yield made
    made.end()


async def ask(client: httpx.AsyncClient, key: str, wait: float, rounds: int = 1) -> httpx.Response:
    """Ask for the run of a key, where nothing may stand yet."""
    path = f"{RUNS}/{key}.yaml"
    body = intent(path, {"template": "train@1.0.0", "parameters": {"rounds": rounds}})
    headers = {"Content-Type": "application/yaml", "Idempotency-Key": key, "If-None-Match": "*"}
    return await client.put(f"/api/v1/intents/{path}", content=body, headers=headers, params={"wait": wait})


async def test_what_is_asked_again_after_a_crash_is_one_commit_with_one_answer(world: WriteWorld, place: Place) -> None:
    before, first = world.head, {}
    async with world.serving(), world.client() as client:
        for point in CRASH_POINTS:
            host = place.start(point)
            asked = await ask(client, point, wait=0)
            assert asked.status_code == HTTPStatus.ACCEPTED, asked.text
            first[point] = asked.json()["request"]
            await until(lambda host=host: host.poll() is not None, f"the writer to die {point}")  # type: ignore[misc]
            assert host.returncode == -signal.SIGKILL
            assert (await ask(client, point, wait=0)).json()["request"] == first[point], "while nobody writes"
        place.start()
        for point in CRASH_POINTS:
            answers = await asyncio.gather(*(ask(client, point, wait=30) for _ in range(AGAIN)))
            assert [each.status_code for each in answers] == [HTTPStatus.CREATED] * AGAIN
            assert all(each.json() == answers[0].json() for each in answers)
            assert answers[0].json()["request"] == first[point]
            assert world.repository.info(answers[0].json()["commit"]).trailers["Ordain-Request"] == (first[point],)
            other = await ask(client, point, wait=30, rounds=2)
            assert (other.status_code, other.json()["code"]) == (HTTPStatus.CONFLICT, "idempotency-key-reused")
    made = world.repository.between(before, world.head)
    assert Counter(each.trailers["Ordain-Request"] for each in made) == Counter((each,) for each in first.values())
    is_sound(world.repository)
