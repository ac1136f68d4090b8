"""Two tenants on one platform: what one has is not there for the other."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.harness import ONES, RunningPlatform, Tenant

pytestmark = [pytest.mark.parts, pytest.mark.triton]

NAME = "private"


@pytest.fixture(scope="module")
def served(acme: Tenant, scalers: tuple[str, str]) -> dict[str, Any]:
    acme.deploy(NAME, "v1", scalers[0])
    return acme.settled(NAME, "v1")


def test_what_is_anothers_is_not_found(acme: Tenant, globex: Tenant, served: dict[str, Any]) -> None:
    run = acme.run("scaler-2")
    request = acme.deploy(NAME, "v1", served["spec"]["versions"][0]["model"])["request"]
    for path in (
        f"/api/v1/runs/{run['name']}",
        f"/api/v1/runs/{run['name']}/tasks",
        f"/api/v1/runs/{run['name']}/logs?task=make",
        f"/api/v1/runs/{run['name']}?project=fraud",
        "/api/v1/models/scaler/versions",
        f"/api/v1/deployments/{NAME}",
        f"/api/v1/requests/{request}",
    ):
        assert acme.request("GET", path).status_code == httpx.codes.OK, path
        assert globex.request("GET", path).status_code == httpx.codes.NOT_FOUND, path
    for path in (f"/api/v1/runs/{run['name']}:cancel", f"/api/v1/deployments/{NAME}:rollback"):
        assert globex.request("POST", path, {}).status_code == httpx.codes.NOT_FOUND, path
    assert globex.request("DELETE", f"/api/v1/deployments/{NAME}").status_code == httpx.codes.NOT_FOUND


def test_anothers_model_cannot_be_inferred(acme: Tenant, globex: Tenant, served: dict[str, Any]) -> None:
    path = acme.infer_path(NAME, "scaler")
    body = {"inputs": [ONES]}
    assert acme.request("POST", path, body).status_code == httpx.codes.OK
    assert globex.request("POST", path, body).status_code == httpx.codes.NOT_FOUND
    assert globex.request("POST", path, body, **{"x-tenant-id": "acme"}).status_code == httpx.codes.NOT_FOUND


def test_anothers_model_cannot_be_deployed(globex: Tenant, served: dict[str, Any]) -> None:
    version = served["spec"]["versions"][0]
    body = {
        "runtime": "triton",
        "traffic": {"replace": {}},
        "versions": [{"name": "v1", "model": version["model"], "digest": version["digest"]}],
    }
    answer = globex.request("PUT", "/api/v1/deployments/borrowed?wait=30", body)
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text


def test_lists_and_the_timeline_hold_only_ones_own(globex: Tenant, served: dict[str, Any]) -> None:
    for path in ("/api/v1/runs", "/api/v1/models", "/api/v1/deployments"):
        assert globex.get(path)["items"] == [], path
    assert {event["data"]["tenant"] for event in globex.get("/api/v1/timeline")["items"]} <= {"globex"}


def test_both_run_under_the_same_name(platform: RunningPlatform, acme: Tenant, globex: Tenant) -> None:
    uids = {tenant.start_run("hello@1.0.0", "namesake", echo=tenant.name)["uid"] for tenant in (acme, globex)}
    assert len(uids) == 2
    for tenant in (acme, globex):
        run = tenant.succeeded("namesake")
        assert run["parameters"] == {"echo": tenant.name}
        assert f"hello, {tenant.name}" in tenant.request("GET", "/api/v1/runs/namesake/logs?task=hello").text
        stored = platform.objects("artifacts", f"{tenant.name}/{run['project']}/runs/{run['run_id']}/")
        assert f"hello, {tenant.name}\n".encode() in stored.values()
