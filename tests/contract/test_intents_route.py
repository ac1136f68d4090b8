"""/api/v1/intents: reading and writing any intent, by two people and their tenants, in memory and on real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from intents.writing import blob_id
from tests.fixtures.trees import ACME as ACME_TENANT
from tests.fixtures.trees import DEPLOYMENT, FRAUD, MODEL_1, PLATFORM, ROLLOUT, V1, V2, small_specs
from tests.fixtures.write_world import ADMIN, LEAD, PLATFORM_HOST, VIEWER, WriteWorld, write_world
from tests.support.ledgers import Ledger
from tests.support.repositories import DEVELOPER, STRANGER, intent

pytestmark = pytest.mark.anyio

INTENTS = "/api/v1/intents"
YAML = {"Content-Type": "application/yaml"}
RUN = "tenants/acme/projects/fraud/runs/2026-11-23/second.yaml"
SPEC = {"template": "train@1.0.0", "parameters": {"rounds": 1}}
TEXT = intent(RUN, SPEC).decode().replace("spec:", "# why: to see\nspec:")
SERVED = {path: small_specs()[path] for path in (DEPLOYMENT, ROLLOUT)}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world_alone(tmp_path: Path, real: Ledger | None) -> WriteWorld:
    """Return a platform at which nothing works yet."""
    return write_world(tmp_path, SERVED, real)


@pytest.fixture
async def world(world_alone: WriteWorld) -> AsyncIterator[WriteWorld]:
    async with world_alone.writing():
        yield world_alone


def deployed(version: dict[str, Any]) -> dict[str, Any]:
    spec = {**small_specs()[DEPLOYMENT], "versions": [version]}
    return {"apiVersion": "ordain.dev/v1alpha1", "kind": "ModelDeployment", "spec": spec}


async def put(client: httpx.AsyncClient, path: str, text: str = TEXT, **headers: str) -> httpx.Response:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.put(f"{INTENTS}/{path}?wait=10", content=text.encode(), headers={**YAML, **more})


async def answered(client: httpx.AsyncClient, place: str) -> Any:
    """Return what became of a request, once it is answered."""
    async with asyncio.timeout(10):
        while (found := (await client.get(place)).json())["state"] == "waiting":
            await asyncio.sleep(0.02)
    return found


async def test_an_intent_is_put_read_and_removed(world: WriteWorld) -> None:
    async with world.client() as client:
        answer = await put(client, RUN)
        assert answer.status_code == 201, answer.text
        written = answer.json()
        assert (written["state"], written["paths"], written["commit"]) == ("committed", [RUN], world.head)
        assert answer.headers["Ordain-Commit"] == world.head
        assert answer.headers["Location"] == f"/api/v1/requests/{written['request']}"
        blob = blob_id(TEXT.encode())
        read = await client.get(f"{INTENTS}/{RUN}", params={"minCommit": written["commit"]})
        assert (read.headers["ETag"], read.headers["Ordain-Commit"]) == (f'"{blob}"', world.head)
        assert read.headers["ETag"] == answer.headers["ETag"]
        view = read.json()
        assert (view["kind"], view["name"], view["date"], view["blob"]) == ("Run", "second", "2026-11-23", blob)
        assert view["document"]["spec"] == SPEC
        raw = await client.get(f"{INTENTS}/{RUN}", headers={"Accept": "application/yaml"})
        assert raw.text == TEXT, "committed byte by byte"
        same = await client.get(f"{INTENTS}/{RUN}", headers={"If-None-Match": f'"{blob}"'})
        assert (same.status_code, same.content) == (304, b"")
        world.end_run(RUN)
        gone = await client.delete(f"{INTENTS}/{RUN}?wait=10")
        assert gone.status_code == 200, gone.text
        assert (await client.get(f"{INTENTS}/{RUN}")).status_code == 404
        old = await client.get(f"{INTENTS}/{RUN}", params={"commit": written["commit"]})
        assert (old.status_code, old.json()["blob"], old.headers["Ordain-Commit"]) == (200, blob, written["commit"])


async def test_json_is_committed_as_yaml_of_the_same_meaning(world: WriteWorld) -> None:
    body = {"apiVersion": "ordain.dev/v1alpha1", "kind": "Run", "metadata": {"labels": {"team": "no"}}, "spec": SPEC}
    async with world.client() as client:
        answer = await client.put(f"{INTENTS}/{RUN}?wait=10", json=body)
        assert answer.status_code == 201, answer.text
        assert (await client.get(f"{INTENTS}/{RUN}")).json()["document"] == body


async def test_without_waiting_the_answer_is_that_it_is_durable(world: WriteWorld) -> None:
    async with world.client() as client:
        answer = await client.put(f"{INTENTS}/{RUN}", content=TEXT, headers=YAML)
        assert answer.status_code == 202
        assert (answer.json()["commit"], answer.json()["paths"]) == (None, [RUN])
        found = await answered(client, answer.headers["Location"])
        assert (found["state"], found["commit"]) == ("committed", world.head)


async def test_what_is_durable_is_committed_when_a_writer_comes(world_alone: WriteWorld) -> None:
    async with world_alone.serving(), world_alone.client() as client:
        answer = await client.put(f"{INTENTS}/{RUN}?wait=0.1", content=TEXT, headers=YAML)
        assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
        assert (await client.get(answer.headers["Location"])).json()["state"] == "waiting"
        async with world_alone.committing():
            found = await answered(client, answer.headers["Location"])
    assert (found["state"], found["commit"]) == ("committed", world_alone.head)


async def test_one_that_is_bad_harms_no_other(world: WriteWorld) -> None:
    """Each alone: some are refused before they are rows, some by the writer, who finds their name taken."""
    before = world.head
    good = [RUN.replace("second", f"good-{number}") for number in range(12)]
    async with world.client() as client:
        taken, wrong = {"If_None_Match": "*"}, TEXT.replace("train@1", "train@7")
        answers = await asyncio.gather(
            *(put(client, path, **taken) for path in good),
            *(put(client, RUN, TEXT.replace("rounds: 1", f"rounds: {number}"), **taken) for number in range(1, 5)),
            *(put(client, RUN.replace("second", f"wrong-{number}"), wrong) for number in range(4)),
        )
    assert [each.status_code for each in answers[:12]] == [201] * 12
    assert sorted(each.status_code for each in answers[12:16]) == [201, 409, 409, 409]
    assert [each.status_code for each in answers[16:]] == [422] * 4
    made = world.repository.between(before, world.head)
    assert sorted(each.trailers["Ordain-Intent"] for each in made) == sorted((path,) for path in [*good, RUN])


async def test_a_refusal_of_the_writer_can_be_read_later(world_alone: WriteWorld) -> None:
    first, second = (TEXT.replace("rounds: 1", f"rounds: {number}") for number in (1, 2))
    headers = {**YAML, "If-None-Match": "*"}
    async with world_alone.serving(), world_alone.client() as client:
        asked = [await client.put(f"{INTENTS}/{RUN}", content=text, headers=headers) for text in (first, second)]
        async with world_alone.committing():
            early, late = [await answered(client, each.headers["Location"]) for each in asked]
    assert early["state"] == "committed"
    assert (late["state"], late["commit"], late["problems"][0]["code"]) == ("refused", None, "conflict")
    (conflict,) = late["conflicts"]
    assert (conflict["base"], conflict["yours"]["content"], conflict["theirs"]["content"]) == (None, second, first)


async def test_two_people_edit_one_intent(world: WriteWorld) -> None:
    """The second is told what stands there now, decides on that, and both edits are in the history."""
    async with world.client() as ana, world.client(LEAD) as ben:
        read = await ana.get(f"{INTENTS}/{DEPLOYMENT}")
        etag = read.headers["ETag"]
        wider = deployed({**V1, "replicas": {"min": 1, "max": 5}})
        bigger = deployed({**V1, "resources": {"cpus": "1", "memory": "2Gi"}})
        first = await ana.put(f"{INTENTS}/{DEPLOYMENT}?wait=10", json=wider, headers={"If-Match": etag})
        assert first.status_code == 200, first.text
        late = await ben.put(f"{INTENTS}/{DEPLOYMENT}?wait=10", json=bigger, headers={"If-Match": etag})
        assert (late.status_code, late.json()["code"]) == (409, "conflict")
        (conflict,) = late.json()["conflicts"]
        assert conflict["path"] == DEPLOYMENT
        assert f'"{conflict["base"]}"' == etag
        assert "max: 5" in conflict["theirs"]["content"]
        assert f'"{conflict["theirs"]["blob"]}"' == first.headers["ETag"]
        assert "memory: 2Gi" in conflict["yours"]["content"]
        again = await ben.put(
            f"{INTENTS}/{DEPLOYMENT}?wait=10", json=bigger, headers={"If-Match": f'"{conflict["theirs"]["blob"]}"'}
        )
        assert again.status_code == 200, again.text
        history = (await ana.get("/api/v1/history", params={"path": DEPLOYMENT})).json()["items"]
        assert [each["author"] for each in history[:2]] == [LEAD, DEVELOPER]


async def test_a_conflict_that_only_the_writer_sees_says_the_same(world: WriteWorld) -> None:
    async with world.client() as client:
        etag = (await client.get(f"{INTENTS}/{DEPLOYMENT}")).headers["ETag"]
        bodies = [deployed({**V1, "replicas": {"min": 1, "max": number}}) for number in (4, 5, 6)]
        answers = await asyncio.gather(
            *(client.put(f"{INTENTS}/{DEPLOYMENT}?wait=10", json=body, headers={"If-Match": etag}) for body in bodies)
        )
        assert sorted(each.status_code for each in answers) == [200, 409, 409]
        for each in answers:
            if each.status_code == 409:
                (conflict,) = each.json()["conflicts"]
                assert conflict["theirs"]["blob"] != conflict["yours"]["blob"]
                assert f'"{conflict["base"]}"' == etag


async def test_different_intents_never_conflict(world: WriteWorld) -> None:
    async with world.client() as client:
        paths = [RUN.replace("second", f"many-{number}") for number in range(20)]
        answers = await asyncio.gather(*(put(client, path, If_None_Match="*") for path in paths))
    assert {each.status_code for each in answers} == {201}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"If-None-Match": "*"}, 409, "conflict"),
        ({"If-Match": f'"{"0" * 40}"'}, 409, "conflict"),
        ({"If-Match": "0" * 40}, 400, "bad-precondition"),
        ({"If-Match": "*"}, 400, "bad-precondition"),
        ({"If-None-Match": f'"{"0" * 40}"'}, 400, "bad-precondition"),
        ({"If-None-Match": "*", "If-Match": f'"{"0" * 40}"'}, 400, "bad-precondition"),
    ],
)
async def test_preconditions(world: WriteWorld, headers: dict[str, str], status: int, code: str) -> None:
    before = world.head
    async with world.client() as client:
        answer = await client.put(f"{INTENTS}/{DEPLOYMENT}?wait=10", json=deployed(V2), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.head == before


async def test_the_same_key_gets_the_same_answer(world: WriteWorld) -> None:
    async with world.client(**{"Idempotency-Key": "k1"}) as client:
        first = await put(client, RUN, If_None_Match="*")
        again = await put(client, RUN, If_None_Match="*")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert again.headers["Location"] == first.headers["Location"]
        other = await put(client, RUN, TEXT.replace("rounds: 1", "rounds: 2"), If_None_Match="*")
        assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
        elsewhere = await put(client, RUN.replace("second", "third"), If_None_Match="*")
        assert elsewhere.json()["code"] == "idempotency-key-reused"
    assert world.repository.info(world.head).trailers["Ordain-Key"]
    async with world.client(LEAD, **{"Idempotency-Key": "k1"}) as lead:
        theirs = await put(lead, RUN.replace("second", "third"))
        assert theirs.status_code == 201, "keys are each person's own"


async def test_a_delete_with_a_key_is_answered_when_nothing_is_there_any_more(world: WriteWorld) -> None:
    async with world.client(**{"Idempotency-Key": "k1"}) as client:
        answers = [await client.delete(f"{INTENTS}/{DEPLOYMENT}?wait=10") for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert sorted(answers[0].json()["paths"]) == [ROLLOUT, DEPLOYMENT], "the rollout goes along"


async def test_one_key_at_once_is_one_commit(world: WriteWorld) -> None:
    before = world.head
    async with world.client(**{"Idempotency-Key": "k1"}) as client:
        answers = await asyncio.gather(*(put(client, RUN) for _ in range(8)))
    assert {each.json()["request"] for each in answers} == {answers[0].json()["request"]}
    assert len(world.repository.between(before, world.head)) == 1


async def test_a_dry_run_checks_and_plans_and_writes_nothing(world: WriteWorld) -> None:
    before = world.head
    async with world.client(**{"Idempotency-Key": "k1"}) as client:
        answer = await client.put(f"{INTENTS}/{DEPLOYMENT}?dry_run=true", json=deployed(V2))
        assert answer.status_code == 200, answer.text
        assert answer.json()["summary"].startswith("intents: 1 changed")
        assert [each["path"] for each in answer.json()["plan"]["intents"]] == [DEPLOYMENT]
        refused = await client.put(
            f"{INTENTS}/{RUN}?dry_run=true", content=TEXT.replace("train@1", "train@7"), headers=YAML
        )
        assert (refused.status_code, refused.json()["problems"][0]["code"]) == (422, "unknown-template")
        same_key = await put(client, RUN)
        assert same_key.status_code == 201, "a dry run uses no key up"
    assert len(world.repository.between(before, world.head)) == 1


async def test_what_the_ledger_knows_decides(world: WriteWorld) -> None:
    async with world.client() as client:
        assert (await put(client, RUN)).status_code == 201
        active = await client.delete(f"{INTENTS}/{RUN}?wait=10")
        assert (active.status_code, active.json()["problems"][0]["code"]) == (422, "active-run")
        world.end_run(RUN)
        assert (await client.delete(f"{INTENTS}/{RUN}?wait=10")).status_code == 200
        again = await put(client, RUN)
        assert (again.status_code, again.json()["problems"][0]["code"]) == (422, "run-name-used")


async def test_reads_wait_for_a_commit_and_say_when_it_does_not_come(
    world: WriteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.commits.LONGEST_WAIT_SECONDS", 0.05)
    async with world.client() as client:
        for path in (f"{INTENTS}/{DEPLOYMENT}", INTENTS, "/api/v1/runs"):
            known = await client.get(path, params={"minCommit": world.head})
            assert known.status_code == 200, known.text
            unknown = await client.get(path, params={"minCommit": "a" * 40})
            assert (unknown.status_code, unknown.json()["code"]) == (412, "min-commit")
            malformed = await client.get(path, params={"minCommit": "main"})
            assert malformed.status_code == 422


async def test_roles_of_their_own_tenant_are_said(world: WriteWorld) -> None:
    async with world.client(VIEWER) as viewer, world.client(STRANGER) as stranger:
        assert (await viewer.get(f"{INTENTS}/{DEPLOYMENT}")).status_code == 200
        refused = await put(viewer, RUN)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await stranger.get(f"{INTENTS}/{DEPLOYMENT}")).status_code == 403
        assert (
            await stranger.get(f"{INTENTS}/{DEPLOYMENT}", headers={"Host": "globex.ml.localhost"})
        ).status_code == 404


async def test_lists_filter_and_page(world: WriteWorld) -> None:
    labelled = TEXT.replace("spec:", "metadata: {labels: {team: risk, tier: a}}\nspec:")
    async with world.client() as client:
        commit = ""
        for number in range(3):
            answer = await put(client, RUN.replace("second", f"listed-{number}"), labelled if number else TEXT)
            commit = answer.json()["commit"]

        async def listed(**query: Any) -> list[str]:
            answer = await client.get(INTENTS, params={"minCommit": commit, **query})
            assert answer.status_code == 200, answer.text
            return [each["path"].rpartition("/")[2] for each in answer.json()["items"]]

        assert await listed(kind="Run") == ["listed-0.yaml", "listed-1.yaml", "listed-2.yaml"]
        assert await listed(label="team=risk") == ["listed-1.yaml", "listed-2.yaml"]
        assert await listed(label=["team=risk", "tier=b"]) == []
        assert await listed(kind="Run", project="fraud") == await listed(kind="Run")
        assert await listed(kind="Tenant", project="fraud") == []
        assert (await client.get(INTENTS, params={"project": "nothing-there"})).status_code == 404
        assert "tenant.yaml" in await listed()
        assert await listed(kind="Tenant") == ["tenant.yaml"]
        everything, pages, cursor = await listed(), [], None
        while True:
            query: dict[str, Any] = {"limit": 2, "minCommit": commit, **({"cursor": cursor} if cursor else {})}
            page = (await client.get(INTENTS, params=query)).json()
            pages += [each["path"].rpartition("/")[2] for each in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert pages == everything
        (item,) = (await client.get(INTENTS, params={"kind": "Run", "limit": 1})).json()["items"]
        assert (item["author"], item["version"], item["date"], item["labels"]) == (DEVELOPER, "", "2026-11-23", {})
        for bad in ("!", "x", "//8="):
            assert (await client.get(INTENTS, params={"cursor": bad})).status_code == 400
        assert (await client.get(INTENTS, params={"label": "team"})).status_code == 400


async def test_a_history_and_what_differs(world: WriteWorld) -> None:
    async with world.client() as client:
        commits = []
        for most in (4, 5, 6):
            body = deployed({**V1, "replicas": {"min": 1, "max": most}})
            commits.append((await client.put(f"{INTENTS}/{DEPLOYMENT}?wait=10", json=body)).json()["commit"])
        commits.append((await client.delete(f"{INTENTS}/{DEPLOYMENT}?wait=10")).json()["commit"])
        first = (await client.get("/api/v1/history", params={"path": DEPLOYMENT, "limit": 3})).json()
        assert [each["commit"] for each in first["items"]] == commits[:0:-1]
        assert first["items"][0]["blob"] is None
        assert first["items"][1]["subject"] == "Change ModelDeployment acme/fraud/scoring"
        query = {"path": DEPLOYMENT, "limit": 3, "cursor": first["next"]}
        rest = (await client.get("/api/v1/history", params=query)).json()
        assert [each["commit"] for each in rest["items"]][:1] == commits[:1]
        assert rest["next"] is None
        query = {"path": DEPLOYMENT, "from": commits[0], "to": commits[2]}
        diff = (await client.get("/api/v1/diff", params=query)).json()
        assert "-      max: 4\n+      max: 6\n" in diff["text"]
        assert [(each["path"], each["before"], each["after"]) for each in diff["fields"]] == [
            ("spec.versions[v1].replicas.max", 4, 6)
        ]
        gone = (await client.get("/api/v1/diff", params={"path": DEPLOYMENT, "from": commits[0]})).json()
        assert gone["after"] == {"commit": world.head, "blob": None}
        blob = blob_id(intent(ACME_TENANT, small_specs()[ACME_TENANT]))
        for other in ("a" * 40, blob):
            nowhere = await client.get("/api/v1/diff", params={"path": DEPLOYMENT, "from": other})
            assert nowhere.status_code == 404
        none = await client.get("/api/v1/history", params={"path": RUN})
        assert none.status_code == 404


async def test_the_history_of_a_tenant_hides_what_touched_others(world: WriteWorld) -> None:
    async with world.client(ADMIN, PLATFORM_HOST) as admin, world.client() as member:
        specs = small_specs()
        writes = [
            {"path": path, "content": intent(path, {**specs[path], "displayName": "New"}).decode()}
            for path in (ACME_TENANT, "tenants/globex/tenant.yaml")
        ]
        body = {"subject": "Rename acme and globex", "writes": writes}
        answer = await admin.post("/api/v1/changes?wait=10", json=body)
        assert answer.status_code == 200, answer.text
        (newest, *_) = (await member.get("/api/v1/history", params={"path": ACME_TENANT})).json()["items"]
        assert (newest["subject"], newest["author"]) == ("Changed by the platform", "")
        (whole, *_) = (await admin.get("/api/v1/history", params={"path": ACME_TENANT})).json()["items"]
        assert (whole["subject"], whole["author"]) == ("Rename acme and globex", ADMIN)


async def test_facts_are_the_platforms_own(world: WriteWorld) -> None:
    async with world.client(LEAD) as lead:
        text = intent(MODEL_1, small_specs()[MODEL_1]).decode()
        answers = [await put(lead, path, text) for path in (MODEL_1, ROLLOUT)]
    assert {each.status_code for each in answers} == {403}


async def test_the_bare_host_is_for_platform_admins(world: WriteWorld) -> None:
    async with world.client(ADMIN, PLATFORM_HOST) as admin, world.client(host=PLATFORM_HOST) as member:
        read = await admin.get(f"{INTENTS}/{PLATFORM}")
        assert read.status_code == 200, read.text
        names = [each["path"] for each in (await admin.get(INTENTS)).json()["items"]]
        assert {PLATFORM, ACME_TENANT, "tenants/globex/tenant.yaml"} <= set(names)
        assert FRAUD not in names
        for path in (FRAUD, DEPLOYMENT):
            assert (await admin.get(f"{INTENTS}/{path}")).status_code == 404
        cluster = "platform/clusters/second.yaml"
        made = await put(admin, cluster, intent(cluster, {"driver": "local"}).decode())
        assert made.status_code == 201, made.text
        assert cluster in [each["path"] for each in (await admin.get(INTENTS)).json()["items"]]
        (newest,) = (await admin.get("/api/v1/history", params={"path": cluster})).json()["items"]
        assert newest["commit"] == made.json()["commit"]
        assert (await admin.get(made.headers["Location"])).status_code == 200
        for path in (f"{INTENTS}/{PLATFORM}", INTENTS, "/api/v1/runs", made.headers["Location"]):
            refused = await member.get(path)
            assert (refused.status_code, refused.json()["code"]) == (400, "tenant-required")


async def test_a_person_of_one_tenant_never_reads_anothers_request(world: WriteWorld) -> None:
    async with world.client() as member, world.client(STRANGER, "globex.ml.localhost") as stranger:
        made = await put(member, RUN)
        assert (await stranger.get(made.headers["Location"])).status_code == 404
        assert (await member.get(made.headers["Location"])).json()["state"] == "committed"
