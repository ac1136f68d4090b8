"""Runs, deployments, schedules and training jobs: nouns over the one way to write, in memory and on real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.http.pages import page_by_name
from intents.kinds import Kind
from tests.fixtures.trees import (
    DDP,
    DEPLOYMENT,
    MODEL_1,
    MODEL_2,
    ROLLOUT,
    SCHEDULE,
    TRAINING_JOB,
    V2,
    small_specs,
    small_tree,
)
from tests.fixtures.write_world import WriteWorld, write_world
from tests.support.ledgers import Ledger
from tests.support.repositories import intent

pytestmark = pytest.mark.anyio

API = "/api/v1"
WAIT = {"wait": "10"}
SCORING = f"{API}/deployments/scoring"
SPEC = {"runtime": "triton", "versions": [V2], "traffic": {"replace": {}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(tmp_path: Path, real: Ledger | None) -> AsyncIterator[WriteWorld]:
    """As pushed past the API: schedules and training jobs that nothing acts on yet are refused there."""
    specs = small_specs()
    rollout = {**specs[ROLLOUT], "lastGood": [{**V2, "weight": 100}]}
    more = {path: specs[path] for path in (DEPLOYMENT, SCHEDULE, DDP, TRAINING_JOB, MODEL_1, MODEL_2)}
    made = write_world(tmp_path, {**more, ROLLOUT: rollout}, real)
    async with made.writing():
        yield made


async def test_a_run_is_asked_for_once_however_often(world: WriteWorld) -> None:
    body = {"template_id": "train", "params": {"rounds": 1}}
    async with world.client(**{"Idempotency-Key": "k"}) as client:
        first, again = [await client.post(f"{API}/runs", json=body, params=WAIT) for _ in range(2)]
    assert first.status_code == 201, first.text
    assert first.json() == again.json()
    assert first.json()["name"].startswith("train-")
    assert first.json()["paths"][0].endswith(f"{first.json()['name']}.yaml")


async def test_a_waiting_run_is_named_at_once(world: WriteWorld) -> None:
    body = {"template_id": "train", "params": {"rounds": 1}, "name": "mine"}
    async with world.client() as client:
        answer = await client.post(f"{API}/runs", json=body)
        assert (answer.status_code, answer.json()["name"], answer.json()["commit"]) == (202, "mine", None)
        planned = await client.post(f"{API}/runs?dry_run=true", json={**body, "name": "other"})
    assert (planned.status_code, planned.json()["state"]) == (200, "planned")


async def test_cancelling_keeps_labels(world: WriteWorld) -> None:
    path = f"{API}/intents/tenants/acme/projects/fraud/runs/2026-11-23/mine.yaml"
    text = intent(path.removeprefix(f"{API}/intents/"), {"template": "train@1.0.0", "parameters": {"rounds": 1}})
    labelled = text.replace(b"spec:", b"metadata: {labels: {a: b}, annotations: {c: d}}\nspec:")
    async with world.client() as client:
        put = await client.put(path, content=labelled, headers={"Content-Type": "application/yaml"}, params=WAIT)
        assert put.status_code == 201, put.text
        stale = await client.post(f"{API}/runs/mine:cancel", headers={"If-Match": f'"{"0" * 40}"'})
        assert stale.status_code == 409
        cancelled = await client.post(f"{API}/runs/mine:cancel", params=WAIT, headers={"If-Match": put.headers["ETag"]})
        assert cancelled.status_code == 200, cancelled.text
        document = (await client.get(path)).json()["document"]
        assert (await client.post(f"{API}/runs/none:cancel")).status_code == 404
    assert document["metadata"] == {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    assert document["spec"]["desired"] == "Cancelled"


async def test_deployments_obey_preconditions(world: WriteWorld) -> None:
    async with world.client() as client:
        etag = (await client.get(SCORING)).headers["ETag"]
        created = await client.put(SCORING, json=SPEC, params=WAIT, headers={"If-None-Match": "*"})
        assert (created.status_code, created.json()["code"]) == (409, "conflict")
        changed = await client.put(SCORING, json=SPEC, params=WAIT, headers={"If-Match": etag})
        assert (changed.status_code, changed.json()["name"]) == (200, "scoring")
        same = await client.put(SCORING, json=SPEC, params=WAIT)
        assert (same.status_code, same.json()["paths"]) == (200, []), "what stays as it is changes nothing"
        stale = await client.delete(SCORING, params=WAIT, headers={"If-Match": etag})
        assert stale.status_code == 409
        removed = await client.delete(SCORING, params=WAIT)
        assert sorted(removed.json()["paths"]) == sorted([DEPLOYMENT, ROLLOUT])
        new = await client.put(f"{API}/deployments/fresh", json=SPEC, params=WAIT)
        assert new.status_code == 201, new.text


async def test_a_missing_digest_is_filled_in(world: WriteWorld) -> None:
    version = {key: value for key, value in V2.items() if key != "digest"}
    async with world.client() as client:
        await client.put(SCORING, json={**SPEC, "versions": [version]}, params=WAIT)
        assert (await client.get(SCORING)).json()["spec"]["versions"][0]["digest"] == V2["digest"]


async def test_a_rollback_is_guarded_by_what_was_read(world: WriteWorld) -> None:
    async with world.client() as client:
        stale = await client.post(f"{SCORING}:rollback", json={}, headers={"If-Match": f'"{"0" * 40}"'})
        assert (stale.status_code, stale.json()["conflicts"][0]["path"]) == (409, DEPLOYMENT)
        planned = await client.post(f"{SCORING}:rollback", json={}, params={"dry_run": "true"})
        assert planned.status_code in {200, 409}, planned.text


async def test_schedules_and_training_jobs_are_read(world: WriteWorld) -> None:
    async with world.client() as client:
        listed = (await client.get(f"{API}/schedules")).json()
        assert [each["name"] for each in listed["items"]] == ["nightly"]
        read = await client.get(f"{API}/schedules/nightly")
        assert (read.json()["spec"]["cron"], read.headers["ETag"]) == ("0 3 * * *", f'"{read.json()["blob"]}"')
        jobs = (await client.get(f"{API}/training-jobs", params={"limit": 1})).json()
        assert [each["name"] for each in jobs["items"]] == ["linear"]
        assert jobs["next"] is None
        assert (await client.get(f"{API}/training-jobs/linear")).json()["spec"]["nodes"] == 2
        for missing in (f"{API}/schedules/none", f"{API}/training-jobs/none"):
            assert (await client.get(missing)).status_code == 404
            assert (await client.delete(missing)).status_code == 404


async def test_what_nothing_acts_on_yet_is_refused_and_can_be_removed(world: WriteWorld) -> None:
    schedule = small_specs()[SCHEDULE]
    job = {"template_id": "ddp", "params": {"epochs": 1}, "nodes": 2, "register": {"model": "linear"}}
    async with world.client() as client:
        answers: list[Any] = [
            await client.put(f"{API}/schedules/nightly", json={**schedule, "suspended": True}),
            await client.post(f"{API}/training-jobs", json=job),
            await client.post(f"{API}/training-jobs/linear:cancel"),
        ]
        for each in answers:
            assert [problem["code"] for problem in each.json()["problems"]] == ["not-carried-out"], each.text
        assert (await client.delete(f"{API}/schedules/nightly", params=WAIT)).status_code == 200
        assert (await client.delete(f"{API}/training-jobs/linear", params=WAIT)).status_code == 200
        assert (await client.get(f"{API}/schedules")).json()["items"] == []


def test_pages_go_by_name() -> None:
    tree, kinds = small_tree(), (Kind.CLUSTER, Kind.TENANT, Kind.SCHEDULE, Kind.RUN)
    documents = [each for kind in kinds for each in tree.of_kind(kind).values()]
    cursor, seen = None, []
    while True:
        page, cursor = page_by_name(documents, 2, cursor)
        seen.append([each.identity.name for each in page])
        if cursor is None:
            break
    assert seen == [["acme", "first"], ["globex", "local"], ["nightly"]]
