"""Bad input to the API: what is malformed, too large, hostile or not theirs is a 4xx, and nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.fixtures.trees import CHURN, PLATFORM
from tests.fixtures.write_world import ACME, WriteWorld, write_world
from tests.support.ledgers import Ledger
from tests.support.repositories import commit_links, intent

pytestmark = pytest.mark.anyio

INTENTS = "/api/v1/intents"
YAML = {"Content-Type": "application/yaml"}
RUN = "tenants/acme/projects/fraud/runs/2026-11-23/second.yaml"
TEXT = intent(RUN, {"template": "train@1.0.0", "parameters": {"rounds": 1}}).decode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world_alone(tmp_path: Path, real: Ledger | None) -> WriteWorld:
    """Return a platform at which nothing works yet."""
    return write_world(tmp_path, ledger=real)


@pytest.fixture
async def world(world_alone: WriteWorld) -> AsyncIterator[WriteWorld]:
    async with world_alone.writing():
        yield world_alone


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


async def test_what_is_not_theirs_does_not_exist(world: WriteWorld) -> None:
    before, told = world.head, {}
    async with world.client() as client:
        for path in FOREIGN:
            answers = [
                await client.get(f"{INTENTS}/{path}", params={"commit": world.head}),
                await client.put(f"{INTENTS}/{path}?wait=1", content=TEXT, headers=YAML),
                await client.delete(f"{INTENTS}/{path}?wait=1"),
                await client.get("/api/v1/history", params={"path": path}),
                await client.get("/api/v1/diff", params={"path": path, "from": world.head}),
                await client.post("/api/v1/changes?wait=1", json={"writes": [{"path": path, "content": TEXT}]}),
            ]
            told[path] = [each.status_code for each in answers]
    assert told == {path: [404] * 6 for path in FOREIGN}
    assert (world.head, world.requests()) == (before, 0)


async def test_who_is_called_like_a_worker_is_none(world: WriteWorld) -> None:
    """Names are an identity provider's to give; the platform's own reach what they need, the packages of templates."""
    package = "/api/v1/templates/train@1.0.0/package"
    paths = ["intents", f"intents/{RUN}", "runs", "models", "timeline", "changes", "templates"]
    for host in (ACME, "ml.localhost"):
        async with world.client(
            "ordain-registry", host, **{"X-Tenant-Id": "acme", "X-Forwarded-Groups": "acme-leads"}
        ) as client:
            told = [(await client.get(f"/api/v1/{path}")).status_code for path in paths]
            assert told == [403] * len(paths)
            assert (await client.get(package)).status_code == 200
            put = await client.put(f"{INTENTS}/{RUN}?wait=1", content=TEXT, headers=YAML)
            assert (put.status_code, world.requests()) == (403, 0)


HOSTILE = [
    "tenants/acme/projects/fraud/../../../globex/tenant.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/../x.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/.git",
    "tenants/acme/.git/config",
    "tenants/acme/.gitmodules",
    "tenants/acme/projects/fraud/deployments/git~1",
    "tenants/acme/projects/fraud/deployments/.g\u200cit/x.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/a\0b.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23\\a.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/Second.yaml",
    "tenants/acme/projects/Fraud/deployments/scoring.yaml",
    "tenants/acme/projects/fraud/deployments/Scoring.yaml",
    "tenants/acme/projects/fraud/deployments/scoring.YAML",
    "tenants/acme/projects/fraud/deployments/\uff53coring.yaml",
    "tenants/acme/projects/fraud/deployments/\u017fcoring.yaml",
    "tenants/acme/projects/fraud/deployments/cafe\u0301.yaml",
    "tenants/acme/projects/fraud/deployments/scoring.yaml/",
    "tenants/acme/projects/fraud/deployments//scoring.yaml",
    "tenants/acme/projects/fraud/deployments/scoring.yaml/x.yaml",
    "tenants/acme/projects/fraud/deployments/%2e%2e/x.yaml",
    "tenants/acme/projects/fraud/deployments/\u202escoring.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-31/x.yaml",
    "tenants/acme/projects/fraud/runs/2026-11-23/" + "x" * 3000 + ".yaml",
    "/tenants/acme/tenant.yaml",
]


@pytest.mark.parametrize("times", [1, 2])
async def test_hostile_paths_write_nothing(world: WriteWorld, times: int) -> None:
    """Folders above, git's own, no name at all, and twins in another case or form of letters; encoded twice as well."""
    before, told = world.head, {}
    async with world.client() as client:
        for path in HOSTILE:
            encoded = path
            for _ in range(times):
                encoded = quote(encoded, safe="/" if times == 1 else "")
            answers = [
                await client.put(f"{INTENTS}/{encoded}?wait=1", content=TEXT, headers=YAML),
                await client.get(f"{INTENTS}/{encoded}"),
                await client.delete(f"{INTENTS}/{encoded}"),
                await client.post("/api/v1/changes?wait=1", json={"writes": [{"path": path, "content": TEXT}]}),
            ]
            told[path] = [each.status_code for each in answers]
    assert {path: status for path, status in told.items() if not all(400 <= each < 500 for each in status)} == {}
    assert (world.head, world.requests()) == (before, 0)


async def test_links_and_other_repositories_are_not_followed(world_alone: WriteWorld) -> None:
    """Only somebody past the API can have put them on main."""
    link, module = (RUN.replace("second", name) for name in ("link", "module"))
    commit = commit_links(world_alone.repository, {link: "../../../../../globex/tenant.yaml"}, module)
    async with world_alone.writing(), world_alone.client() as client:
        told = [
            (await client.get(f"{INTENTS}/{path}", params=at)).status_code
            for path in (link, module)
            for at in ({}, {"commit": commit})
        ]
        assert told == [404] * 4
        written = await client.put(f"{INTENTS}/{link}?wait=10", content=TEXT, headers=YAML)
        assert written.status_code == 201, "what is written there is a file again"
        assert (await client.get(f"{INTENTS}/{link}", headers={"Accept": "application/yaml"})).text == TEXT


BODIES = [
    (TEXT.replace("kind: Run", "kind: Schedule"), 422, "kind-mismatch"),
    (TEXT.replace("spec:", "metadata: {name: other}\nspec:"), 422, "unknown-field"),
    (TEXT.replace("spec:", "metadata: {namespace: globex--churn}\nspec:"), 422, "unknown-field"),
    (TEXT.replace("spec:", "metadata: {uid: 8a5e}\nspec:"), 422, "unknown-field"),
    (TEXT.replace("v1alpha1", "v2"), 422, "invalid-value"),
    ("", 422, "empty-document"),
    ("- a\n", 422, "wrong-type"),
    ("a: &x 1\nb: *x\n", 422, "yaml-feature"),
    (TEXT + "---\n" + TEXT, 422, "several-documents"),
    (TEXT.replace("spec:", "# \0\nspec:"), 422, "yaml-syntax"),
    ("#" * (300 * 1024), 413, "too-large"),
    ("#" * (1024 * 1024 + 1), 413, "too-large"),
    ("\udc80", 422, "not-utf8"),
]


async def test_bodies_that_are_no_such_intent(world: WriteWorld) -> None:
    """Malformed, too large, or naming itself another than its path does."""
    before, wrong = world.head, []
    async with world.client() as client:
        for text, status, code in BODIES:
            body = text.encode("utf-8", "surrogateescape")
            answer = await client.put(f"{INTENTS}/{RUN}?wait=1", content=body, headers=YAML)
            codes = {answer.json()["code"], *(each["code"] for each in answer.json()["problems"])}
            if answer.status_code != status or code not in codes:
                wrong.append((text[:80], answer.status_code, codes))
    assert wrong == []
    assert (world.head, world.requests()) == (before, 0)


JSON_BODIES = [
    (b"{", 400),
    (b"[]", 422),
    (b'"x"', 422),
    (b"[" * 5000, 400),
    (b'{"kind": "Run", "kind": "Schedule"}', 400),
    (b'{"kind": "Run", "spec": {"a": NaN}}', 422),
    (b'{"kind": "Run", "spec": {"a": "\\ud800"}}', 422),
    (b'{"kind": "Run", "spec": ' + b'{"a":' * 400 + b"1" + b"}" * 401, 422),
    (b'{"kind": "Run", "spec": {"template": "x\\u0000@1.0.0"}}', 422),
]


async def test_json_that_is_no_such_intent(world: WriteWorld) -> None:
    headers = {"Content-Type": "application/json"}
    async with world.client() as client:
        answers = [
            await client.put(f"{INTENTS}/{RUN}?wait=1", content=body, headers=headers) for body, _ in JSON_BODIES
        ]
    assert [each.status_code for each in answers] == [status for _, status in JSON_BODIES]
    assert {each.headers["Content-Type"] for each in answers} == {"application/problem+json"}
    assert world.requests() == 0


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


STRANGE = {
    "nothing": (b"", {400, 422}),
    "no JSON": (b"{", {400, 422}),
    "nested": (nested(100), {400, 422}),
    "nested deeper": (nested(2_000), {400, 422}),
    "nested as deep as it may be large": (b"[" * (2**20 - 1), {400, 422}),
    "half of a UTF-16 pair": (b'{"a": "\\ud800", "\\ud800": 1}', {400, 422}),
    "U+0000": (b'{"a": "\\u0000", "\\u0000": 1}', {400, 422}),
    "no number": (b'{"a": NaN}', {400, 422}),
    "a number of 5,000 digits": (b'{"a": %s}' % (b"9" * 5_000), {400, 422}),
    "larger than anything that is taken": (b" " * (2**22 + 1), {413}),
}
PARAMETERS = {"name": "x", "path": RUN, "change_id": "0123456789"}


async def test_strange_bodies_are_refused_by_every_route(world: WriteWorld) -> None:
    routes = [
        (method, path.format_map(PARAMETERS))
        for path, item in world.app.openapi()["paths"].items()
        for method, operation in item.items()
        if operation.get("requestBody", {}).get("required")
    ]
    assert len(routes) > 8
    headers, wrong = {"Content-Type": "application/json"}, []
    async with world.client() as client:
        for method, path in routes:
            for name, (body, allowed) in STRANGE.items():
                answer = await client.request(method, path, content=body, headers=headers)
                is_problem = answer.headers["Content-Type"] == "application/problem+json"
                if answer.status_code not in allowed or not is_problem:
                    wrong.append((method, path, name, answer.status_code))
            unmeasured = await client.request(method, path, content=_pieces(), headers=headers)
            if unmeasured.status_code != HTTPStatus.LENGTH_REQUIRED:
                wrong.append((method, path, "of no stated length", unmeasured.status_code))
    assert wrong == []
    assert world.requests() == 0


async def _pieces() -> AsyncIterator[bytes]:
    yield b"{}"


ASKED = [
    ("runs/%00", 404),
    ("runs/%ED%A0%80", 404),
    ("runs?project=%00", 404),
    ("deployments/%00", 404),
    ("schedules/%00", 404),
    ("training-jobs/%00", 404),
    ("changes?author=%00", 200),
    ("changes?author=%ED%A0%80", 200),
    ("changes/%00", 422),
    ("intents?label=team%3D%00", 200),
    ("intents?label=%00%3Dteam", 200),
    ("intents?cursor=AA==", 400),
    ("history?path=tenants/acme/tenant.yaml%00", 404),
    ("templates/%00", 404),
    ("models/%00/versions", 404),
    ("requests/%00", 422),
]


async def test_what_postgres_cannot_hold_may_be_asked_for(world: WriteWorld) -> None:
    async with world.client() as client:
        told = [(what, (await client.get(f"/api/v1/{what}")).status_code) for what, _ in ASKED]
    assert told == ASKED


async def test_a_form_of_another_site_writes_nothing(world: WriteWorld) -> None:
    async with world.client() as client:
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = await client.put(f"{INTENTS}/{RUN}", content=TEXT, headers={"Content-Type": media_type})
            assert answer.status_code == 415
        foreign = await client.put(f"{INTENTS}/{RUN}", content=TEXT, headers={**YAML, "Origin": f"http://evil.{ACME}"})
        assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign-origin")
