"""POST /api/v1/plan: what writes would do, to those who may know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http import plan as route
from api.http.bounded import MOST_BYTES
from reconciler.ports.repository import NewCommit
from tests.fixtures.panel_world import FRAUD, NOW, PERSON, PLATFORM, World, body_of, model_spec, seeded

pytestmark = pytest.mark.anyio

ACME = "acme.ml.localhost"
ANA, ROOT, GUS = "ana@acme.example", "root@localhost", "gus@globex.example"
CARD = f"{FRAUD}/deployments/card.yaml"
CHURN = "tenants/globex/projects/churn/deployments/churn.yaml"
CLUSTER = "platform/clusters/local.yaml"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def deployment(model: str, digest: str, replicas: int) -> dict[str, Any]:
    version = {"name": "v1", "model": f"{model}@1", "digest": digest, "replicas": {"min": 1, "max": replicas}}
    return {"runtime": "triton", "versions": [version], "traffic": {"replace": {}}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two tenants on one cluster of 20 CPUs; globex uses 7 of them."""
    made = seeded(tmp_path)
    fraud, churn = (model_spec("train-1", "0" * 40, digit) for digit in "ab")
    made.commit(
        "Register and serve",
        {
            CLUSTER: {"driver": "local", "capacity": {"cpus": 20, "memory": "64Gi"}},
            f"{FRAUD}/models/card/1.yaml": fraud,
            "tenants/globex/projects/churn/models/churn/1.yaml": churn,
            CHURN: deployment("churn", churn["digest"], 7),
            "tenants/acme/tenant.yaml": {
                "displayName": "Acme",
                "hostnames": ["acme"],
                "defaultProject": "fraud",
                "members": [{"user": ANA, "roles": ["developer"]}, {"user": ROOT, "roles": ["viewer"]}],
            },
        },
    )
    return made


def card(replicas: int) -> str:
    digest = model_spec("train-1", "0" * 40, "a")["digest"]
    return body_of(CARD, deployment("card", digest, replicas)).decode()


def api(world: World, user: str = ANA, host: str = ACME) -> httpx.AsyncClient:
    headers = {"X-Forwarded-User": user}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(world.app()), base_url=f"http://{host}:8080", headers=headers
    )


async def planned(world: World, *writes: tuple[str, str | None], user: str = ANA, status: int = 200) -> dict[str, Any]:
    body = {"writes": [{"path": path, "content": content} for path, content in writes]}
    async with api(world, user) as client:
        answer = await client.post("/api/v1/plan", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_plan_says_what_writes_would_do(world: World) -> None:
    head = world.repository.head()
    found = await planned(world, (CARD, card(3)))
    assert [(each["change"], each["path"]) for each in found["intents"]] == [("added", CARD)]
    assert [each["summary"] for each in found["traffic"][0]["walk"]] == ["Serve v1"]
    cpus = next(each for each in found["quotas"] if each["resource"] == "cpus")
    assert (cpus["level"], cpus["name"], cpus["before"], cpus["after"]) == ("project", "acme/fraud", "0", "3")
    assert found["problems"] == []
    assert world.repository.head() == head, "nothing is written"


async def test_problems_are_part_of_the_answer(world: World) -> None:
    bad = card(3).replace("card@1", "card@7")
    found = await planned(world, (CARD, bad), (f"{FRAUD}/schedules/nightly.yaml", "kind: Schedule\nspec: {crn: 1}\n"))
    assert {each["code"] for each in found["problems"]} >= {"unknown-model-version", "unknown-field", "missing-field"}
    misplaced = await planned(world, ("tenants/acme/projects/fraud/notes.txt", "x"))
    assert [each["code"] for each in misplaced["problems"]] == ["misplaced-file"]


async def test_what_a_person_may_not_write_is_planned_and_said(world: World) -> None:
    found = await planned(
        world,
        (
            f"{FRAUD}/project.yaml",
            "apiVersion: ordain.dev/v1alpha1\nkind: Project\nspec: {cluster: local, quota: {cpus: 2}}\n",
        ),
    )
    assert [each["code"] for each in found["problems"]] == ["forbidden"]
    assert [each["path"] for each in found["intents"][0]["fields"]] == ["spec.quota.cpus"]


async def test_members_see_nothing_of_other_tenants(world: World) -> None:
    found = await planned(world, (CARD, card(15)))
    text = json.dumps(found)
    assert "globex" not in text
    assert "churn" not in text
    assert {each["level"] for each in found["quotas"]} == {"project", "tenant"}
    assert "22" not in {each["after"] for each in found["quotas"]}
    for problem in found["problems"]:
        assert " 22 " not in problem["message"], problem


def open_change(world: World, name: str, files: dict[str, bytes | None]) -> None:
    new = NewCommit(PERSON, PLATFORM, NOW, f"{name}\n", files)
    (tip,) = world.repository.append("test", world.repository.head(), [new])
    world.repository.move(f"refs/heads/{name}", None, tip)


async def test_open_changes_are_told_as_far_as_the_caller_may_know(world: World) -> None:
    digest = model_spec("train-1", "0" * 40, "b")["digest"]
    open_change(world, "change/7", {CARD: card(5).encode()})
    open_change(world, "change/8", {CHURN: body_of(CHURN, deployment("churn", digest, 9)), CARD: b"kind: [\n"})
    mine = await planned(world, (CARD, card(3)))
    assert [(each["name"], each["adds"].get("cpus"), each["conflicts"]) for each in mine["others"]] == [
        ("change/7", "5", [CARD])
    ]
    everything = await planned(world, (CARD, card(3)), user=ROOT)
    assert [(each["name"], each["adds"].get("cpus")) for each in everything["others"]] == [
        ("change/7", "5"),
        ("change/8", "2"),
    ]
    project = next(each for each in mine["quotas"] if (each["level"], each["resource"]) == ("project", "cpus"))
    assert (project["after"], project["with_others"]) == ("3", "8")


async def test_platform_admins_see_how_much_of_the_cluster_is_used(world: World) -> None:
    found = await planned(world, (CARD, card(15)), user=ROOT)
    cpus = next(each for each in found["quotas"] if (each["level"], each["resource"]) == ("cluster", "cpus"))
    assert (cpus["before"], cpus["after"], cpus["limit_after"], cpus["exceeded"]) == ("7", "22", "20", True)
    capacity = body_of(CLUSTER, {"driver": "local", "capacity": {"cpus": 30, "memory": "64Gi"}}).decode()
    assert (await planned(world, (CLUSTER, capacity), user=ROOT))["intents"][0]["kind"] == "Cluster"


async def test_what_lies_beside_intents_is_no_intent(world: World) -> None:
    found = await planned(world, ("templates/x/1.0.0/pipeline.yaml", "components: {}"), user=ROOT)
    assert (found["intents"], found["problems"]) == ([], [])


@pytest.mark.parametrize(
    "path",
    [CHURN, "tenants/globex/projects/none/project.yaml", CLUSTER, "templates/x/1.0.0/template.yaml", "tenants/acme"],
)
async def test_members_plan_in_their_own_tenant_only(world: World, path: str) -> None:
    found = await planned(world, (CARD, card(3)), (path, None), status=403)
    assert (found["code"], found["detail"]) == ("forbidden", f"{ANA} plans in tenants/acme/ only")


async def test_strangers_plan_nothing(world: World) -> None:
    await planned(world, (CARD, card(3)), user=GUS, status=403)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"writes": []},
        {"writes": [{"path": CARD}]},
        {"writes": [{"path": "../etc passwd", "content": None}]},
        {"writes": [{"path": CARD, "content": None}] * 2},
        {"writes": [{"path": f"{FRAUD}/runs/{n}", "content": None} for n in range(route.MOST_WRITES + 1)]},
        {"writes": [{"path": CARD, "content": None, "mode": "0755"}]},
    ],
)
async def test_a_malformed_body_is_refused(world: World, body: Any) -> None:
    async with api(world) as client:
        answer = await client.post("/api/v1/plan", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid-request"


async def test_half_of_a_pair_is_no_text(world: World) -> None:
    body = b'{"writes": [{"path": "tenants/acme/projects/fraud/schedules/x.yaml", "content": "\\ud800"}]}'
    async with api(world) as client:
        answer = await client.post("/api/v1/plan", content=body, headers={"Content-Type": "application/json"})
    assert [each["code"] for each in answer.json()["problems"]] == ["not-utf8"]


async def test_a_body_is_bounded_before_it_is_read(world: World) -> None:
    async def pieces() -> Any:
        yield b"{}"

    async with api(world) as client:
        headers = {"Content-Type": "application/json"}
        large = await client.post("/api/v1/plan", content=b" " * (MOST_BYTES + 1), headers=headers)
        unknown = await client.post("/api/v1/plan", content=pieces(), headers=headers)
    assert (large.status_code, large.json()["code"]) == (413, "too-large")
    assert (unknown.status_code, unknown.json()["code"]) == (411, "length-required")


async def test_the_documentation_shows_the_whole_plan(world: World) -> None:
    async with api(world) as client:
        document = (await client.get("/api/openapi.json")).json()
    answer = document["paths"]["/api/v1/plan"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = document["components"]["schemas"][answer["$ref"].rpartition("/")[2]]
    assert schema["properties"].keys() == (await planned(world, (CARD, None))).keys()
