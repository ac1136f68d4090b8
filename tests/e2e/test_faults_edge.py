"""What a client may not do through the edge, however it writes the request."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from tests.e2e.harness import ONES, RunningPlatform, Tenant

pytestmark = [pytest.mark.parts, pytest.mark.triton]

NAME = "edged"
BASE = f"/serve/fraud/{NAME}"


@pytest.fixture(scope="module")
def served(acme: Tenant, scalers: tuple[str, str]) -> dict[str, Any]:
    acme.deploy(NAME, "v1", scalers[0])
    return acme.settled(NAME, "v1")


def test_a_tenant_named_by_the_client_is_ignored(acme: Tenant, globex: Tenant, served: dict[str, Any]) -> None:
    for header in ("x-tenant-id", "X-Tenant-Id", "X-TENANT-ID"):
        answer = globex.request("GET", f"/api/v1/deployments/{NAME}", **{header: "acme"})
        assert answer.status_code == httpx.codes.NOT_FOUND, answer.text
        assert acme.request("GET", f"/api/v1/deployments/{NAME}", **{header: "globex"}).status_code == httpx.codes.OK


def test_a_person_named_by_the_client_is_ignored(platform: RunningPlatform, acme: Tenant) -> None:
    forged = {
        "x-forwarded-user": "ordain-registry",
        "x-forwarded-email": "mallory@example.com",
        "x-forwarded-groups": "platform-admins",
        "x-project-id": "elsewhere",
    }
    answer = acme.request("POST", "/api/v1/runs?wait=30", {"template_id": "hello@1.0.0", "name": "forged"}, **forged)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    commit = platform.repository.commit(answer.json()["commit"])
    assert (commit.author.name, commit.author.email) == ("local@localhost", "local@localhost")


def test_headers_with_underscores_are_refused(acme: Tenant) -> None:
    assert acme.request("GET", "/api/v1/runs", x_tenant_id="globex").status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/v2/repository/index",
        f"{BASE}/v2/repository/models/scaler/load",
        f"{BASE}/v2/repository/models/scaler/unload",
        f"{BASE}/v2/logging",
        f"{BASE}/v2/trace/setting",
        f"{BASE}/v2/models/scaler/trace/setting",
        f"{BASE}/v2/systemsharedmemory/status",
        f"{BASE}/v2/cudasharedmemory/status",
        f"{BASE}/v2/models/scaler/config",
        f"{BASE}/v2/models/scaler/stats",
        f"{BASE}/v2/models/stats",
        f"{BASE}/v2/models/other/infer",
        f"{BASE}/metrics",
        f"{BASE}/v2/health/ready/../../repository/index",
        f"{BASE}/v2/models/scaler/../../repository/index",
        f"{BASE}//v2//repository//index",
        f"{BASE}/v2/models/scaler/%2e%2e/%2e%2e/repository/index",
        f"{BASE}/v2/./repository/index",
        f"{BASE}/v2/repository/index?",
        f"{BASE}/v2/REPOSITORY/index",
        "/serve/fraud/absent/v2/models/scaler/infer",
        "/v2/repository/index",
        "/v2/models/scaler/infer",
    ],
)
def test_what_only_the_platform_asks_a_server_is_not_found(
    acme: Tenant, served: dict[str, Any], method: str, path: str
) -> None:
    with acme.client() as client:
        # Sent as it is written: a client of its own would tidy the path up.
        answer = client.send(client.build_request(method, _untouched(acme, path)))
    assert answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED}, answer.text


@pytest.mark.parametrize("path", [f"{BASE}/v2%2Frepository%2Findex", f"{BASE}/v2/models%5Cscaler/infer"])
def test_escaped_slashes_are_refused(acme: Tenant, path: str) -> None:
    with acme.client() as client:
        assert client.get(_untouched(acme, path)).status_code == httpx.codes.BAD_REQUEST


def _untouched(tenant: Tenant, path: str) -> httpx.URL:
    return httpx.URL(tenant.platform.address).copy_with(raw_path=path.encode())


def test_host_and_path_must_name_the_same_tenant(acme: Tenant, served: dict[str, Any]) -> None:
    same = acme.request("GET", "/t/acme/api/v1/runs")
    assert same.status_code == httpx.codes.OK, same.text
    other = acme.request("GET", "/t/globex/api/v1/runs")
    assert other.status_code == httpx.codes.BAD_REQUEST, other.text
    assert other.json()["code"] == "tenant-disagreement"


def test_query_and_place_must_name_the_same_project(acme: Tenant) -> None:
    assert acme.request("GET", "/api/v1/runs?project=fraud").status_code == httpx.codes.OK
    assert acme.request("GET", "/api/v1/runs?project=churn").status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("ml.localhost", "/api/v1/runs", 400),
        ("ml.localhost", "/t/acme/api/v1/runs", 200),
        ("ml.localhost", "/t/nobody/api/v1/runs", 404),
        ("nobody.ml.localhost", "/api/v1/runs", 404),
        ("example.com", "/api/v1/runs", 404),
        ("127.0.0.1", "/api/v1/runs", 404),
        ("acme.ml.localhost.", "/api/v1/runs", 200),
        ("ACME.ML.localhost", "/api/v1/runs", 200),
        ("acme.ml.localhost:1", "/api/v1/runs", 200),
        ("ml.localhost", "/", 200),
    ],
)
def test_a_host_that_is_nobodys_finds_nothing(platform: RunningPlatform, host: str, path: str, status: int) -> None:
    with httpx.Client(base_url=platform.address, trust_env=False) as client:
        assert client.get(path, headers={"host": host}).status_code == status


def test_a_request_smuggled_by_two_lengths_is_refused(platform: RunningPlatform) -> None:
    lines = (
        b"POST /api/v1/runs HTTP/1.1\r\nHost: acme.ml.localhost\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nX-Tenant-Id: globex\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", platform.settings.edge_port), timeout=10) as connection:
        connection.sendall(lines)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")


def test_inputs_a_model_cannot_take_are_answered_and_harm_nothing(acme: Tenant, served: dict[str, Any]) -> None:
    rows = 64
    inputs = [{"name": "x", "datatype": "FP32", "shape": [rows, 4], "data": [1.0] * 4 * rows}]
    assert acme.infer(NAME, "scaler", inputs).status_code == httpx.codes.OK
    for wrong in (
        {**ONES, "shape": [1, 5]},
        {**ONES, "shape": [-1, 4]},
        {**ONES, "shape": [1 << 40, 1 << 40]},
        {**ONES, "datatype": "INT64"},
        {**ONES, "name": "y"},
        {**ONES, "data": ["text"]},
        {**ONES, "parameters": {"shared_memory_region": "x", "shared_memory_byte_size": 16}},
    ):
        answer = acme.infer(NAME, "scaler", [wrong])
        # Triton says 500 where it cannot read the data, and 400 where it can and may not.
        assert answer.status_code in {400, 500}, f"{wrong}: {answer.status_code} {answer.text}"
        assert answer.json()["error"]
    assert acme.scaled(NAME, "scaler") == 2
