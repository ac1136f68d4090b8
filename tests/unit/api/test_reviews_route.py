"""/api/v1/changes/…: what needs approval, from the write that opens it to the commit on main, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from intents.writing import blob_id
from reconciler.planning.changes import Approval, ChangeId
from reconciler.planning.plan.digest import PlanDigest
from tests.fixtures.approvals import APPROVER, BLUE, DEPLOY_SPEC, OTHER_DEVELOPER, SECOND_SPEC, approved_specs
from tests.fixtures.trees import ACME as ACME_PATH
from tests.fixtures.trees import DEPLOYMENT, GLOBEX, PLATFORM, ROLLOUT, RUN, TRAIN, Specs, small_specs
from tests.fixtures.write_world import ACME, ADMIN, LEAD, PLATFORM_HOST, VIEWER, WriteWorld, write_world
from tests.support.repositories import DEVELOPER, STRANGER, commit, intent, start_specs

pytestmark = pytest.mark.anyio

API = "/api/v1"
CHANGES = f"{API}/changes"
Specified = Mapping[str, Any]
GREEN = BLUE.replace("blue", "green")
ANN = APPROVER.user


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[WriteWorld]:
    made = write_world(tmp_path, seeds())
    async with made.writing():
        yield made


def seeds() -> Specs:
    specs = {path: spec for path, spec in approved_specs().items() if path not in {RUN, TRAIN, GLOBEX}}
    specs[PLATFORM] = {**specs[PLATFORM], "changeLimits": {"tenantsTouched": 1}}
    return specs


async def call(
    world: WriteWorld, method: str, path: str, user: str = DEVELOPER, host: str = ACME, **more: Any
) -> httpx.Response:
    async with world.client(user, host) as client:
        return await client.request(method, path, **more)


def in_yaml(world: WriteWorld, user: str = DEVELOPER, **headers: str) -> httpx.AsyncClient:
    return world.client(user, ACME, **{"Content-Type": "application/yaml", **headers})


async def put(world: WriteWorld, spec: Specified = DEPLOY_SPEC, path: str = BLUE, **query: str) -> httpx.Response:
    body = intent(path, spec).decode()
    async with in_yaml(world) as client:
        return await client.put(f"{API}/intents/{path}", content=body, params={"wait": "10", **query})


async def opened(world: WriteWorld, **query: str) -> str:
    answer = await put(world, DEPLOY_SPEC, BLUE, **query)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["change"])


async def shown(world: WriteWorld, change: str, user: str = DEVELOPER) -> dict[str, Any]:
    answer = await call(world, "GET", f"{CHANGES}/{change}", user)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def approve(world: WriteWorld, change: str, user: str = ANN, digest: str | None = None) -> httpx.Response:
    digest = digest or (await shown(world, change))["digest"]
    return await call(world, "POST", f"{CHANGES}/{change}:approve?wait=10", user, json={"digest": digest})


async def merge(world: WriteWorld, change: str, user: str = DEVELOPER, **body: str) -> httpx.Response:
    return await call(world, "POST", f"{CHANGES}/{change}:merge?wait=10", user, json=body)


async def test_a_write_that_needs_approval_is_answered_by_its_change(world: WriteWorld) -> None:
    main = world.head
    answer = await put(world)
    told = answer.json()
    assert (answer.status_code, told["state"], told["commit"], told["paths"]) == (202, "proposed", None, [BLUE])
    assert answer.headers["Location"] == f"{CHANGES}/{told['change']}"
    assert world.head == main
    again = (await call(world, "GET", f"{API}/requests/{told['request']}")).json()
    assert (again["state"], again["change"], again["commit"]) == ("proposed", told["change"], None)


async def test_the_change_is_named_before_the_writer_has_it(world: WriteWorld) -> None:
    answer = await put(world, wait="0")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    told = answer.json()["change"]
    done = await call(world, "GET", f"{API}/requests/{answer.json()['request']}")
    while done.json()["state"] == "waiting":
        done = await call(world, "GET", f"{API}/requests/{answer.json()['request']}")
    assert done.json()["change"] == told


async def test_a_change_shows_what_it_does_and_lacks(world: WriteWorld) -> None:
    change = await shown(world, await opened(world), VIEWER)
    assert (change["state"], change["author"], change["subject"]) == (
        "open",
        DEVELOPER,
        "Add ModelDeployment acme/fraud/blue",
    )
    (file,) = change["writes"]
    assert (file["path"], file["change"]) == (BLUE, "added")
    assert f"+++ change/{BLUE}" in file["diff"]
    assert "+  runtime: triton" in file["diff"]
    assert (change["required"], change["missing"], change["approvals"], change["mergeable"]) == (1, 1, [], False)
    assert change["approvers"] == [{"user": None, "group": "acme-leads"}, {"user": ANN, "group": None}]
    assert change["summary"].startswith("intents: 1 added; no manifest")
    assert change["plan"]["radius"]["tenants"] == ["acme"]
    assert change["problems"] == []


async def test_approved_by_another_it_is_merged(world: WriteWorld) -> None:
    change = await opened(world)
    answer = await approve(world, change)
    assert answer.status_code == 200, answer.text
    seen = answer.json()["change"]
    assert [(each["approver"], each["counts"]) for each in seen["approvals"]] == [(ANN, True)]
    assert (seen["missing"], seen["mergeable"], answer.json()["merge"]) == (0, True, None)
    merged = await merge(world, change, head=seen["head"])
    assert (merged.status_code, merged.json()["state"]) == (201, "committed")
    assert merged.json()["commit"] == world.head == merged.headers["Ordain-Commit"]
    assert world.repository.info(world.head).author.name == DEVELOPER
    ended = await shown(world, change)
    assert (ended["state"], ended["commit"], ended["ended_by"]) == ("merged", world.head, DEVELOPER)
    assert "+  runtime: triton" in ended["writes"][0]["diff"]
    assert (ended["plan"], ended["digest"]) == (None, None)


async def test_merged_with_the_last_approval_where_that_was_asked(world: WriteWorld) -> None:
    change = await opened(world, merge="when-approved")
    answer = await approve(world, change)
    assert answer.json()["merge"]["state"] == "committed"
    assert (await shown(world, change))["ended_by"] == ANN
    assert world.repository.info(world.head).trailers["Ordain-Approved-By"] == (ANN,)


async def test_an_approval_sent_again_merges_what_it_was_to_be_merged_with(world: WriteWorld) -> None:
    change = await opened(world, merge="when-approved")
    seen = await shown(world, change)
    given = Approval(ChangeId(change), APPROVER, PlanDigest(seen["digest"]), seen["head"], datetime.now(UTC))
    await world.context.changes("acme").approve(given)  # and there the platform is killed
    assert (await shown(world, change))["mergeable"]
    answer = await approve(world, change)
    assert answer.json()["merge"]["state"] == "committed"
    assert [each["approver"] for each in answer.json()["change"]["approvals"]] == [ANN]


@pytest.mark.parametrize(
    ("user", "status", "code"),
    [(DEVELOPER, 403, "not-an-approver"), (VIEWER, 403, "not-an-approver"), (STRANGER, 403, "forbidden")],
)
async def test_whose_yes_is_refused(world: WriteWorld, user: str, status: int, code: str) -> None:
    change = await opened(world)
    digest = (await shown(world, change))["digest"]
    answer = await approve(world, change, user, digest)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    missing = await merge(world, change)
    assert (missing.status_code, missing.json()["code"]) == (409, "approval-missing")
    assert missing.json()["problems"][0]["hint"] == f"ask group acme-leads, {ANN}"


async def test_nobody_approves_their_own_change_whatever_their_role(world: WriteWorld) -> None:
    async with in_yaml(world, LEAD) as client:
        answer = await client.put(f"{API}/intents/{BLUE}?wait=10", content=intent(BLUE, DEPLOY_SPEC).decode())
    own = await approve(world, answer.json()["change"], LEAD)
    assert (own.status_code, own.json()["code"]) == (403, "not-an-approver")


async def test_an_approval_is_for_the_plan_that_was_read(world: WriteWorld) -> None:
    change = await opened(world)
    read = (await shown(world, change))["digest"]
    assert (await put(world, SECOND_SPEC, change=change)).status_code == 202
    stale = await approve(world, change, digest=read)
    assert (stale.status_code, stale.json()["code"]) == (409, "plan-changed")
    for body in ({}, {"digest": "x"}, {"digest": read, "more": 1}):
        answer = await call(world, "POST", f"{CHANGES}/{change}:approve", ANN, json=body)
        assert answer.status_code == 422


async def test_an_approval_falls_when_main_moves_such_that_the_plan_is_another(world: WriteWorld) -> None:
    answer = await put(world, SECOND_SPEC, DEPLOYMENT)
    change = answer.json()["change"]
    await approve(world, change)
    live = [{**small_specs()[ROLLOUT]["live"][0], "replicas": {"min": 2, "max": 4}}]
    commit(world.repository, {ROLLOUT: intent(ROLLOUT, {**small_specs()[ROLLOUT], "live": live})})
    seen = await shown(world, change)
    assert seen["missing"] == 1
    assert seen["approvals"][0]["fallen"] == "main moved and the plan is another now"


async def test_an_update_is_added_to_the_change(world: WriteWorld) -> None:
    change = await opened(world)
    await approve(world, change)
    update = await put(world, path=GREEN, change=change)
    assert (update.status_code, update.json()["change"], update.json()["state"]) == (202, change, "proposed")
    seen = await shown(world, change)
    assert seen["paths"] == [BLUE, GREEN]
    assert (seen["missing"], seen["approvals"][0]["fallen"]) == (1, "the change was updated")
    async with world.client(OTHER_DEVELOPER.user) as client:
        writes = {"writes": [{"path": GREEN, "content": None, "expects": "absent"}]}
        foreign = await client.post(f"{CHANGES}?change={change}&wait=10", json=writes)
        assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden")
    async with world.client() as client:
        smaller = await client.post(f"{CHANGES}?change={change}&wait=10", json=writes)
    assert smaller.status_code == 202, smaller.text
    assert (await shown(world, change))["paths"] == [BLUE]


async def test_a_conflict_with_main_is_told_with_both_versions(world: WriteWorld) -> None:
    change = (await put(world, SECOND_SPEC, DEPLOYMENT)).json()["change"]
    await approve(world, change)
    theirs = small_specs()[DEPLOYMENT] | {"endpoint": {"timeout": "9s"}}
    first = (await put(world, theirs, DEPLOYMENT, merge="when-approved")).json()["change"]
    assert (await approve(world, first)).json()["merge"]["commit"] == world.head
    answer = await merge(world, change)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    (conflict,) = answer.json()["conflicts"]
    assert conflict["path"] == DEPLOYMENT
    assert conflict["base"] == blob_id(intent(DEPLOYMENT, small_specs()[DEPLOYMENT]))
    assert conflict["yours"]["blob"] == blob_id(intent(DEPLOYMENT, SECOND_SPEC))
    assert conflict["theirs"]["blob"] == blob_id(intent(DEPLOYMENT, theirs))
    assert (await shown(world, change))["conflicts"] == [conflict]
    both = {**SECOND_SPEC, "endpoint": {"timeout": "9s"}}
    settled = await put(world, both, DEPLOYMENT, change=change)
    assert settled.status_code == 202, settled.text
    assert (await shown(world, change))["conflicts"] == []


async def test_the_same_key_opens_one_change(world: WriteWorld) -> None:
    body = intent(BLUE, DEPLOY_SPEC).decode()
    async with in_yaml(world, **{"Idempotency-Key": "once"}) as client:
        first, second = [await client.put(f"{API}/intents/{BLUE}?wait=10", content=body) for _ in range(2)]
        other = await client.put(f"{API}/intents/{BLUE}?wait=10&merge=when-approved", content=body)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")


async def test_a_dry_run_says_how_many_would_have_to_approve(world: WriteWorld) -> None:
    answer = await put(world, dry_run="true")
    assert (answer.status_code, answer.json()["approvals"], answer.json()["paths"]) == (200, 1, [BLUE])
    assert answer.json()["plan"]["intents"][0]["change"] == "added"
    change = await opened(world)
    await approve(world, change)
    dry = await call(world, "POST", f"{CHANGES}/{change}:merge?dry_run=true")
    assert (dry.json()["approvals"], dry.json()["paths"]) == (0, [BLUE])
    assert (await shown(world, change))["state"] == "open"


async def test_closing_ends_it(world: WriteWorld) -> None:
    change = await opened(world)
    refused = await call(world, "POST", f"{CHANGES}/{change}:close?wait=10", VIEWER)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    answer = await call(world, "POST", f"{CHANGES}/{change}:close?wait=10", ANN)
    assert (answer.status_code, answer.json()["state"], answer.json()["change"]) == (200, "closed", change)
    for again in (merge(world, change), approve(world, change, digest="0" * 64), put(world, change=change)):
        answer = await again
        assert (answer.status_code, answer.json()["code"]) == (409, "change-not-open")
    seen = await shown(world, change)
    assert (seen["state"], seen["ended_by"]) == ("closed", ANN)


async def test_a_merge_of_what_was_updated_since_is_refused(world: WriteWorld) -> None:
    change = await opened(world)
    head = (await shown(world, change))["head"]
    await put(world, SECOND_SPEC, change=change)
    await approve(world, change)
    stale = await merge(world, change, head=head)
    assert (stale.status_code, stale.json()["code"]) == (409, "change-updated")


async def test_lists_are_filtered_and_paged(world: WriteWorld) -> None:
    first, second = await opened(world), str((await put(world, path=GREEN)).json()["change"])
    await call(world, "POST", f"{CHANGES}/{first}:close?wait=10")
    await approve(world, second)

    async def listed(**query: str) -> list[str]:
        answer = await call(world, "GET", CHANGES, params=query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["items"]]

    assert await listed() == [second]
    assert await listed(state="closed") == [first]
    assert await listed(state="any") == [second, first]
    assert await listed(state="any", author="nobody") == []
    assert await listed(state="any", project="fraud") == [second, first]
    page = (await call(world, "GET", CHANGES, params={"state": "any", "limit": "1"})).json()
    assert page["items"][0]["approved_by"] == [ANN]
    assert await listed(state="any", limit="1", cursor=page["next"]) == [first]
    for bad in ({"cursor": "x"}, {"cursor": "eCB5"}):
        assert (await call(world, "GET", CHANGES, params=bad)).status_code == 400
    assert (await call(world, "GET", CHANGES, params={"state": "gone"})).status_code == 422


async def test_another_tenants_changes_are_not_there(world: WriteWorld) -> None:
    change = await opened(world)
    globex = "globex.ml.localhost"
    assert (await call(world, "GET", CHANGES, STRANGER, globex)).json()["items"] == []
    for method, path in (("GET", ""), ("POST", ":merge"), ("POST", ":close")):
        answer = await call(world, method, f"{CHANGES}/{change}{path}", STRANGER, globex)
        assert answer.status_code == 404
    answer = await call(world, "POST", f"{CHANGES}/{change}:approve", STRANGER, globex, json={"digest": "0" * 64})
    assert answer.status_code == 404
    assert (await call(world, "GET", f"{CHANGES}/0000000000")).status_code == 404
    assert (await call(world, "GET", f"{CHANGES}/unknown")).status_code == 422
    assert (await call(world, "GET", CHANGES, DEVELOPER, PLATFORM_HOST)).status_code == 400


async def test_what_touches_several_tenants_is_the_platforms(world: WriteWorld) -> None:
    specs = approved_specs()
    other = {**start_specs()[GLOBEX], "displayName": "New"}
    mine = {**specs[ACME_PATH], "displayName": "New"}
    writes = [
        {"path": path, "content": intent(path, spec).decode()} for path, spec in ((ACME_PATH, mine), (GLOBEX, other))
    ]
    answer = await call(world, "POST", f"{CHANGES}?wait=10", ADMIN, PLATFORM_HOST, json={"writes": writes})
    assert (answer.status_code, answer.json()["state"]) == (202, "proposed"), answer.text
    change = answer.json()["change"]
    assert (await call(world, "GET", CHANGES)).json()["items"] == []
    assert (await call(world, "GET", f"{CHANGES}/{change}")).status_code == 404
    seen = (await call(world, "GET", f"{CHANGES}/{change}", ADMIN, PLATFORM_HOST)).json()
    assert seen["plan"]["radius"]["tenants"] == ["acme", "globex"]
    own = {"json": {"digest": seen["digest"]}}
    refused = await call(world, "POST", f"{CHANGES}/{change}:approve", ADMIN, PLATFORM_HOST, **own)
    assert refused.json()["code"] == "not-an-approver"
    groups = {"X-Forwarded-Groups": "platform"}
    async with world.client("ops@localhost", PLATFORM_HOST) as client:
        approved = await client.post(f"{CHANGES}/{change}:approve", headers=groups, **own)  # type: ignore[arg-type]
        assert approved.json()["change"]["mergeable"], approved.text
        merged = await client.post(f"{CHANGES}/{change}:merge?wait=10", headers=groups)
    assert merged.status_code == 200, merged.text


async def test_rolling_back_needs_nobody(tmp_path: Path) -> None:
    live, good = {**SECOND_SPEC["versions"][0], "weight": 100}, small_specs()[ROLLOUT]["live"]
    target = blob_id(intent(DEPLOYMENT, SECOND_SPEC))
    rollout = {**small_specs()[ROLLOUT], "of": target, "live": [live], "lastGood": good}
    world = write_world(tmp_path, {**seeds(), DEPLOYMENT: SECOND_SPEC, ROLLOUT: rollout})
    async with world.writing():
        answer = await call(world, "POST", f"{API}/deployments/scoring:rollback?wait=10", json={"reason": "errors"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["change"]) == ("committed", None)
