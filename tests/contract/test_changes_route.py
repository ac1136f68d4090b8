"""POST /api/v1/changes: several intents in one commit, or none; in memory and on real Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.http.changes import MOST_WRITES
from intents.writing import blob_id
from tests.fixtures.trees import DEPLOYMENT, ROLLOUT, V1, small_specs
from tests.fixtures.write_world import ADMIN, LEAD, PLATFORM_HOST, WriteWorld, write_world
from tests.support.ledgers import Ledger
from tests.support.repositories import DEVELOPER, intent

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
CHANGES = "/api/v1/changes"
RUN = "tenants/acme/projects/fraud/runs/2026-11-23/second.yaml"
OTHER = RUN.replace("second", "third")
SPEC = {"template": "train@1.0.0", "parameters": {"rounds": 1}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(tmp_path: Path, real: Ledger | None) -> AsyncIterator[WriteWorld]:
    made = write_world(tmp_path, {path: small_specs()[path] for path in (DEPLOYMENT, ROLLOUT)}, real)
    async with made.writing():
        yield made


def write(path: str, spec: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"path": path, "content": None if spec is None else intent(path, spec).decode(), **more}


async def change(world: WriteWorld, *writes: dict[str, Any], user: str = DEVELOPER, **more: Any) -> Any:
    host = PLATFORM_HOST if user == ADMIN else "acme.ml.localhost"
    async with world.client(user, host) as client:
        return await client.post(f"{CHANGES}?wait=10", json={"writes": list(writes), **more})


async def test_several_intents_are_one_commit(world: WriteWorld) -> None:
    before = world.head
    wider = {**small_specs()[DEPLOYMENT], "versions": [{**V1, "replicas": {"min": 1, "max": 5}}]}
    answer = await change(world, write(RUN, SPEC), write(OTHER, SPEC), write(DEPLOYMENT, wider), subject="All at once")
    assert answer.status_code == 201, answer.text
    assert answer.json()["paths"] == sorted([RUN, OTHER, DEPLOYMENT])
    (made,) = world.repository.between(before, world.head)
    assert (made.id, made.subject, made.author.name) == (answer.json()["commit"], "All at once", DEVELOPER)


async def test_one_that_is_refused_refuses_all_with_every_reason(world: WriteWorld) -> None:
    before = world.head
    wrong = [write(OTHER, {**SPEC, "template": "none@1.0.0"}), write(RUN, {"parameters": {}})]
    answer = await change(world, write(RUN.replace("second", "good"), SPEC), *wrong)
    assert answer.status_code == 422
    assert [each["code"] for each in answer.json()["problems"]] == ["missing-field"], "what cannot be read comes first"
    stale = write(DEPLOYMENT, small_specs()[DEPLOYMENT], expects="0" * 40)
    answer = await change(world, write(RUN, SPEC), stale)
    assert answer.status_code == 409
    assert [each["path"] for each in answer.json()["conflicts"]] == [DEPLOYMENT]
    assert world.head == before


async def test_each_path_is_guarded_on_its_own(world: WriteWorld) -> None:
    blob = blob_id(intent(DEPLOYMENT, small_specs()[DEPLOYMENT]))
    gone = write(DEPLOYMENT, expects=blob)
    answer = await change(world, gone, write(RUN, SPEC, expects="absent"))
    assert answer.status_code == 201, answer.text
    assert answer.json()["paths"] == sorted([DEPLOYMENT, ROLLOUT, RUN]), "the rollout goes along"
    again = await change(world, write(RUN, SPEC, expects="absent"))
    assert again.status_code == 409


async def test_removing_both_files_of_a_deployment_is_one_write_each(world: WriteWorld) -> None:
    answer = await change(world, write(DEPLOYMENT), write(ROLLOUT))
    assert answer.status_code == 200, answer.text
    assert answer.json()["paths"] == sorted([DEPLOYMENT, ROLLOUT])


async def test_a_tenant_comes_with_its_first_project(world: WriteWorld) -> None:
    tenant, project = "tenants/newcomer/tenant.yaml", "tenants/newcomer/projects/first/project.yaml"
    member = {"user": "nia@newcomer.example", "roles": ["admin"]}
    spec = {"displayName": "New", "hostnames": ["newcomer"], "defaultProject": "first", "members": [member]}
    writes = (write(tenant, spec), write(project, {"cluster": "local"}))
    assert (await change(world, *writes, user=LEAD)).status_code == 404
    answer = await change(world, *writes, user=ADMIN)
    assert answer.status_code == 201, answer.text
    again = await change(world, write(project, {"cluster": "local"}), user=ADMIN)
    assert again.status_code == 404, "from now on the project is its tenant's"
    async with world.client("nia@newcomer.example", "newcomer.ml.localhost") as nia:
        assert (await nia.get(f"/api/v1/intents/{project}")).status_code == 200


async def test_the_same_key_answers_for_a_tenant_that_is_there_meanwhile(world: WriteWorld) -> None:
    tenant, project = "tenants/newcomer/tenant.yaml", "tenants/newcomer/projects/first/project.yaml"
    spec = {"displayName": "New", "hostnames": ["newcomer"], "defaultProject": "first"}
    body = {"writes": [write(tenant, spec), write(project, {"cluster": "local"})]}
    async with world.client(ADMIN, PLATFORM_HOST, **{"Idempotency-Key": "new"}) as admin:
        answers = [await admin.post(f"{CHANGES}?wait=10", json=body) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_a_template_comes_with_its_package(world: WriteWorld) -> None:
    folder = "templates/hello/1.0.0"
    bodies = {name: (ROOT / folder / name).read_text() for name in ("template.yaml", "pipeline.yaml", "pipeline.py")}
    writes = [{"path": f"{folder}/{name}", "content": body} for name, body in bodies.items()]
    alone = await change(world, writes[0], user=ADMIN)
    assert [each["code"] for each in alone.json()["problems"]] == ["invalid-package"]
    answer = await change(world, *writes, user=ADMIN)
    assert answer.status_code == 201, answer.text
    assert world.repository.read(world.head, f"{folder}/pipeline.py") == bodies["pipeline.py"].encode()
    async with world.client() as client:
        assert (await client.get("/api/v1/templates/hello@1.0.0/package")).text == bodies["pipeline.yaml"]


@pytest.mark.parametrize("content", ["a\0b", "\ud800"])
async def test_what_lies_beside_a_template_is_text(world: WriteWorld, content: str) -> None:
    body = json.dumps({"writes": [{"path": "templates/train/1.0.0/notes.txt", "content": content}]})
    async with world.client(ADMIN, PLATFORM_HOST, **{"Content-Type": "application/json"}) as admin:
        answer = await admin.post(CHANGES, content=body)
    assert [each["code"] for each in answer.json()["problems"]] == ["not-utf8"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"writes": []}, 422),
        ({}, 422),
        ({"writes": [write(RUN, SPEC)] * 2}, 422),
        ({"writes": [write(RUN, SPEC, expects="main")]}, 422),
        ({"writes": [write(RUN, SPEC, mode="0755")]}, 422),
        ({"writes": [{"path": RUN}]}, 422),
        ({"writes": [write(f"{RUN}{number}") for number in range(MOST_WRITES + 1)]}, 422),
        ({"writes": [write(RUN, SPEC)], "subject": "x" * 201}, 422),
        ({"writes": [write(RUN)]}, 404),
        ({"writes": [{"path": RUN, "content": " " * (4 * 2**20)}]}, 413),
    ],
)
async def test_a_change_is_bounded_and_well_formed(world: WriteWorld, body: dict[str, Any], status: int) -> None:
    before = world.head
    async with world.client() as client:
        answer = await client.post(CHANGES, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (world.head, world.requests()) == (before, 0)


@pytest.mark.parametrize("header", [{"If-None-Match": "*"}, {"If-Match": f'"{"0" * 40}"'}])
@pytest.mark.parametrize("verb", ["", "/0123456789:merge", "/0123456789:close"])
async def test_a_guard_of_one_path_is_not_taken_and_dropped(
    world: WriteWorld, header: dict[str, str], verb: str
) -> None:
    async with world.client(**header) as client:
        answer = await client.post(f"{CHANGES}{verb}", json={} if verb else {"writes": [write(RUN, SPEC)]})
    assert (answer.status_code, answer.json()["code"], world.requests()) == (400, "bad-precondition", 0)


async def test_a_subject_is_one_line(world: WriteWorld) -> None:
    answer = await change(world, write(RUN, SPEC), subject="One\n\nOrdain-On-Behalf-Of: root\n")
    made = world.repository.info(answer.json()["commit"])
    assert made.subject == "One Ordain-On-Behalf-Of: root"
    assert "Ordain-On-Behalf-Of" not in made.trailers
