"""Accepted and pushed, told apart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest

from api.http.context import ApiContext
from api.http.remotes import NOT_TOLD, Delivery, OnForge, delivery_of, on_forge
from intents.authority import Principal
from reconciler.planning.changes import Change, ChangeId, ChangeState
from reconciler.planning.writing import RequestId
from reconciler.ports.remotes import HOME, MIRROR, PULLS, pull_name
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


def change(head: str = "1" * 40, state: ChangeState = ChangeState.OPEN) -> Change:
    return Change(
        id=ChangeId("0123456789"),
        tenant="acme",
        project="fraud",
        author=Principal("dev@acme.example"),
        email="dev@acme.example",
        subject="Deploy blue",
        base="b" * 40,
        head=head,
        paths=(),
        opened_at=datetime.now(UTC),
        updated_at=datetime.now(UTC),
        state=state,
    )


async def test_a_change_says_where_its_pull_request_is_and_what_that_waits_for(world: World) -> None:
    context = await context_of(world)
    assert await on_forge(context, change()) == OnForge(), "main is at home here"
    with_repository(world, **FORGE)
    context = await context_of(world)
    assert await on_forge(context, change()) == OnForge(waits_for=NOT_TOLD)
    await world.remotes.tell(PULLS, HERE, "it is away")
    assert await on_forge(context, change()) == OnForge(waits_for="it is away")
    assert (await repository(world))["forge"]["pulls"]["reason"] == "it is away"
    await world.remotes.tell(PULLS, HERE, "")
    pull, name = f"{HERE}/pulls/7", pull_name("0123456789")
    await world.remotes.reached(name, pull, "1" * 40)
    assert await on_forge(context, change()) == OnForge(pull_request=pull)
    assert await on_forge(context, change("2" * 40)) == OnForge(pull_request=pull, waits_for=NOT_TOLD)
    await world.remotes.tell(name, pull, "the token may not do this")
    assert await on_forge(context, change()) == OnForge(pull_request=pull, waits_for="the token may not do this")
    assert await on_forge(context, change(state=ChangeState.CLOSED)) == OnForge()
    await world.remotes.reached(name, "javascript:alert(1)", "1" * 40)
    assert (await on_forge(context, change())).pull_request is None
