"""What clients are told while the writer cannot write."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fixtures.write_world import write_world
from tests.support.repositories import intent

pytestmark = pytest.mark.anyio

RUN = "tenants/acme/projects/fraud/runs/2026-11-23/second.yaml"
TEXT = intent(RUN, {"template": "train@1.0.0", "parameters": {"rounds": 1}})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_write_is_refused_with_the_reason_and_reads_go_on(tmp_path: Path) -> None:
    world = write_world(tmp_path)
    requests = world.world.requests
    headers = {"Content-Type": "application/yaml", "Idempotency-Key": "once"}
    requests.stall = "the disk of state.git is full: 0 KiB are left"
    head, address = world.head, f"/api/v1/intents/{RUN}?wait=10"
    async with world.client() as client:
        refused = await client.put(address, content=TEXT, headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert requests.stall in refused.json()["detail"]
        assert (world.head, requests.rows) == (head, {})
        assert (await client.get("/api/v1/intents")).status_code == 200
        async with world.writing():
            while requests.stall:
                await asyncio.sleep(0.01)
            assert (await client.put(address, content=TEXT, headers=headers)).status_code == 201
        requests.stall = "the disk is full again"
        again = await client.put(address, content=TEXT, headers=headers)
        assert (again.status_code, again.json()["commit"]) == (201, world.head), "it was answered already"
