"""Accepted and pushed, told apart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest

from api.http.context import ApiContext
from api.http.remotes import Delivery, delivery_of
from reconciler.planning.writing import RequestId
from reconciler.ports.remotes import HOME, MIRROR
from reconciler.ports.requests import RequestState, RequestStatus
from tests.fixtures.panel_world import World, seeded, with_repository

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE = "https://git.example/acme/intents", "https://git.example/acme/before"
FORGE = {"home": "forge", "forge": {"provider": "gitea", "url": HERE}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return seeded(tmp_path)


def request(state: RequestState, pushed_at: datetime | None = None) -> RequestStatus:
    return RequestStatus(RequestId(uuid4()), state, "c" * 40, (), (), conflict=False, pushed_at=pushed_at)


async def context_of(world: World) -> ApiContext:
    context = cast(ApiContext, world.app().state.context)
    await context.head.advance()
    return context


async def repository(world: World) -> dict[str, Any]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.app()),
        base_url="http://acme.ml.localhost:8080",
        headers={"X-Forwarded-User": "ana@acme.example"},
    ) as client:
        answer = await client.get("/api/v1/status")
    assert answer.status_code == 200, answer.text
    return cast(dict[str, Any], answer.json()["repository"])


async def test_at_home_here_there_is_nothing_more_to_tell(world: World) -> None:
    context = await context_of(world)
    assert await delivery_of(context, request(RequestState.COMMITTED)) == Delivery()
    assert await repository(world) == {"home": "local", "accepted": world.repository.head()}


async def test_what_is_accepted_may_not_be_pushed_yet(world: World) -> None:
    with_repository(world, mirror=HERE)
    context = await context_of(world)
    assert await delivery_of(context, request(RequestState.COMMITTED)) == Delivery(pushed=False)
    assert await delivery_of(context, request(RequestState.COMMITTED, datetime.now(UTC))) == Delivery(pushed=True)
    assert await delivery_of(context, request(RequestState.WAITING)) == Delivery()
    await world.remotes.reached(MIRROR, HERE, "1" * 40)
    await world.remotes.tell(MIRROR, HERE, "it is away")
    found = await repository(world)
    assert found["accepted"] == world.repository.head()
    assert (found["mirror"]["pushed"], found["mirror"]["reason"]) == ("1" * 40, "it is away")
    assert found["mirror"]["since"]


async def test_of_another_mirror_nothing_is_told(world: World) -> None:
    with_repository(world, mirror=HERE)
    await world.remotes.reached(MIRROR, ELSEWHERE, "1" * 40)
    mirror = (await repository(world))["mirror"]
    assert mirror == {"address": HERE, "pushed": "", "reason": "", "since": None}


async def test_what_waits_for_a_forge_says_for_what(world: World) -> None:
    with_repository(world, **FORGE)
    context = await context_of(world)
    assert await delivery_of(context, request(RequestState.WAITING)) == Delivery()
    await world.remotes.tell(HOME, HERE, "history-rewritten: …")
    assert await delivery_of(context, request(RequestState.WAITING)) == Delivery(waits_for="history-rewritten: …")
    assert await delivery_of(context, request(RequestState.COMMITTED)) == Delivery()
    found = await repository(world)
    assert (found["home"], found["forge"]["reason"]) == ("forge", "history-rewritten: …")
