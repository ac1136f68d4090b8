"""/api/v1/intents: reading and writing any intent, by two people and their tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from intents.writing import blob_id
from tests.fixtures.trees import ACME as ACME_TENANT
from tests.fixtures.trees import CHURN, DEPLOYMENT, FRAUD, MODEL_1, PLATFORM, ROLLOUT, V1, V2, small_specs
from tests.fixtures.write_world import ACME, ADMIN, LEAD, PLATFORM_HOST, VIEWER, WriteWorld, write_world
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
async def world(tmp_path: Path) -> AsyncIterator[WriteWorld]:
    made = write_world(tmp_path, SERVED)
    async with made.writing():
        yield made


def deployed(version: dict[str, Any]) -> dict[str, Any]:
    spec = {**small_specs()[DEPLOYMENT], "versions": [version]}
    return {"apiVersion": "ordain.dev/v1alpha1", "kind": "ModelDeployment", "spec": spec}


async def put(client: httpx.AsyncClient, path: str, text: str = TEXT, **headers: str) -> httpx.Response:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.put(f"{INTENTS}/{path}?wait=10", content=text.encode(), headers={**YAML, **more})


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
        world.world.requests.runs[RUN] = True
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
        for _ in range(100):
            found = (await client.get(answer.headers["Location"])).json()
            if found["state"] != "waiting":
                break
            await asyncio.sleep(0.02)
        assert (found["state"], found["commit"]) == ("committed", world.head)


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
    runs = world.world.requests.runs
    async with world.client() as client:
        assert (await put(client, RUN)).status_code == 201
        active = await client.delete(f"{INTENTS}/{RUN}?wait=10")
        assert (active.status_code, active.json()["problems"][0]["code"]) == (422, "active-run")
        runs[RUN] = True
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


FOREIGN = [
    CHURN,
    "tenants/globex/tenant.yaml",
    "tenants/globex/projects/churn/runs/2026-11-23/x.yaml",
    "tenants/nobody/tenant.yaml",
    PLATFORM,
    "templates/train/1.0.0/template.yaml",
    "templates/train/1.0.0/pipeline.yaml",
    "rendered/x.yaml",
]


@pytest.mark.parametrize("path", FOREIGN)
async def test_what_is_not_theirs_does_not_exist(world: WriteWorld, path: str) -> None:
    before = world.head
    async with world.client() as client:
        answers = [
            await client.get(f"{INTENTS}/{path}", params={"commit": world.head}),
            await put(client, path),
            await client.delete(f"{INTENTS}/{path}?wait=1"),
            await client.get("/api/v1/history", params={"path": path}),
            await client.get("/api/v1/diff", params={"path": path, "from": world.head}),
            await client.post("/api/v1/changes?wait=1", json={"writes": [{"path": path, "content": TEXT}]}),
        ]
    assert [each.status_code for each in answers] == [404] * 6
    assert world.head == before


HOSTILE = [
    "tenants/acme/projects/fraud/../../../globex/tenant.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/../x.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/.git",
    "tenants/acme/.git/config",
    "tenants/acme/projects/fraud/runs/2026-11-23/a\0b.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23\\a.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/Second.yaml",
    "tenants/acme/projects/Fraud/deployments/scoring.yaml",
    "tenants/acme/projects/fraud/deployments/Scoring.yaml",
    "tenants/acme/projects/fraud/deployments/scoring.YAML",
    "tenants/acme/projects/fraud/deployments/scoring.yaml/",
    "tenants/acme/projects/fraud/deployments//scoring.yaml",
    "tenants/acme/projects/fraud/deployments/scoring.yaml/x.yaml",
    "tenants/acme/projects/fraud/deployments/%2e%2e/x.yaml",
    "tenants/acme/projects/fraud/deployments/\u202escoring.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-31/x.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/" + "x" * 3000 + ".yaml",
    "/tenants/acme/tenant.yaml",
]


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("times", [1, 2])
async def test_hostile_paths_write_nothing(world: WriteWorld, path: str, times: int) -> None:
    before, encoded = world.head, path
    for _ in range(times):
        encoded = quote(encoded, safe="/" if times == 1 else "")
    async with world.client() as client:
        answers = [
            await client.put(f"{INTENTS}/{encoded}?wait=1", content=TEXT, headers=YAML),
            await client.get(f"{INTENTS}/{encoded}"),
            await client.delete(f"{INTENTS}/{encoded}"),
            await client.post("/api/v1/changes?wait=1", json={"writes": [{"path": path, "content": TEXT}]}),
        ]
    for each in answers:
        assert 400 <= each.status_code < 500, each.text
    assert (world.head, world.world.requests.rows) == (before, {})


async def test_roles_of_their_own_tenant_are_said(world: WriteWorld) -> None:
    async with world.client(VIEWER) as viewer, world.client(STRANGER) as stranger:
        assert (await viewer.get(f"{INTENTS}/{DEPLOYMENT}")).status_code == 200
        refused = await put(viewer, RUN)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await stranger.get(f"{INTENTS}/{DEPLOYMENT}")).status_code == 403
        assert (
            await stranger.get(f"{INTENTS}/{DEPLOYMENT}", headers={"Host": "globex.ml.localhost"})
        ).status_code == 404


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (TEXT.replace("kind: Run", "kind: Schedule"), 422, "kind-mismatch"),
        (TEXT.replace("spec:", "metadata: {name: other}\nspec:"), 422, "unknown-field"),
        (TEXT.replace("spec:", "metadata: {namespace: globex--churn}\nspec:"), 422, "unknown-field"),
        ("", 422, "empty-document"),
        ("- a\n", 422, "wrong-type"),
        ("a: &x 1\nb: *x\n", 422, "yaml-feature"),
        (TEXT + "---\n" + TEXT, 422, "several-documents"),
        ("#" * (300 * 1024), 413, "too-large"),
        ("#" * (1024 * 1024 + 1), 413, "too-large"),
        ("\udc80", 422, "not-utf8"),
    ],
)
async def test_bodies_that_are_no_such_intent(world: WriteWorld, text: str, status: int, code: str) -> None:
    before = world.head
    async with world.client() as client:
        body = text.encode("utf-8", "surrogateescape")
        answer = await client.put(f"{INTENTS}/{RUN}?wait=1", content=body, headers=YAML)
    assert answer.status_code == status, answer.text
    assert code in {answer.json()["code"], *(each["code"] for each in answer.json()["problems"])}
    assert world.head == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'"x"', 422),
        (b"[" * 5000, 400),
        (b'{"kind": "Run", "kind": "Schedule"}', 400),
        (b'{"kind": "Run", "spec": {"a": NaN}}', 422),
        (b'{"kind": "Run", "spec": {"a": "\\ud800"}}', 422),
        (b'{"kind": "Run", "spec": ' + b'{"a":' * 400 + b"1" + b"}" * 401, 422),
        (b'{"kind": "Run", "spec": {"template": "x\\u0000@1.0.0"}}', 422),
    ],
)
async def test_json_that_is_no_such_intent(world: WriteWorld, body: bytes, status: int) -> None:
    async with world.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.put(f"{INTENTS}/{RUN}?wait=1", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


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
        assert world.world.requests.intents[cluster][0].tenant == "platform"
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


async def test_a_form_of_another_site_writes_nothing(world: WriteWorld) -> None:
    async with world.client() as client:
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = await client.put(f"{INTENTS}/{RUN}", content=TEXT, headers={"Content-Type": media_type})
            assert answer.status_code == 415
        foreign = await put(client, RUN, Origin=f"http://evil.{ACME}")
        assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign-origin")
