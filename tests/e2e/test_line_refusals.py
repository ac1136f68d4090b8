"""Requests that are refused before anything is written: with every problem, and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.harness import RunningPlatform, Tenant

pytestmark = pytest.mark.parts


@pytest.fixture(autouse=True)
def _nothing_is_written(platform: RunningPlatform) -> Iterator[None]:
    before = platform.repository.commit("main").hexsha
    yield
    assert platform.repository.commit("main").hexsha == before


def problems(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: list[dict[str, Any]] = answer.json()["problems"]
    assert found
    return found


def run(tenant: Tenant, **body: object) -> httpx.Response:
    return tenant.request("POST", "/api/v1/runs?wait=10", body)


def deploy(tenant: Tenant, **spec: object) -> httpx.Response:
    return tenant.request("PUT", "/api/v1/deployments/wrong?wait=10", spec)


def test_an_unknown_template(acme: Tenant) -> None:
    (problem,) = problems(run(acme, template_id="no-such@1.0.0"))
    assert "no-such@1.0.0" in problem["message"]
    assert problem["path"].startswith("tenants/acme/projects/fraud/runs/")
    assert problem["line"] > 0


def test_wrong_parameters_all_at_once(acme: Tenant) -> None:
    wrong = {"rounds": 0, "max_depth": "deep", "no_such": 1}
    found = problems(run(acme, template_id="train-classifier@1.0.0", params=wrong))
    assert len(found) == len(wrong)
    assert all(problem["line"] > 0 and problem["code"] for problem in found)


def test_an_unknown_field_of_the_request(acme: Tenant) -> None:
    problems(run(acme, template_id="hello@1.0.0", deadline="1h"))


def test_unknown_and_missing_fields_of_a_deployment_all_at_once(acme: Tenant) -> None:
    found = problems(deploy(acme, runtime="triton", gates=[], versions=[{"name": "v1", "model": "none@1"}]))
    codes = {(problem["code"], problem["field"]) for problem in found}
    assert codes >= {("unknown-field", "spec.gates"), ("missing-field", "spec.traffic")}
    assert all(problem["path"] == "tenants/acme/projects/fraud/deployments/wrong.yaml" for problem in found)
    assert all(problem["line"] > 0 for problem in found)
    assert any(problem["hint"] for problem in found)


def test_a_wrong_type(acme: Tenant) -> None:
    found = problems(deploy(acme, runtime="triton", traffic={"replace": {}}, versions="v1"))
    assert any(problem["field"].startswith("spec.versions") for problem in found)


def test_an_unknown_model(acme: Tenant) -> None:
    versions = [{"name": "v1", "model": "none@1"}]
    found = problems(deploy(acme, runtime="triton", traffic={"replace": {}}, versions=versions))
    assert any("none@1" in problem["message"] for problem in found)


@pytest.mark.parametrize("name", ["../escape", "UPPER", "a b", "-dash", "x" * 300, "nul\x00", "dot.yaml"])
def test_a_name_that_is_none(acme: Tenant, name: str) -> None:
    problems(run(acme, template_id="hello@1.0.0", name=name))


TOO_DEEP = b'{"template_id": "hello@1.0.0", "params": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b'{"template_id": ', "application/json", 422),
        (b"template_id=hello@1.0.0", "application/x-www-form-urlencoded", 415),
        (b'{"template_id": "hello@1.0.0"}', "text/plain", 415),
        (b"[]", "application/json", 422),
        (b'{"template_id": "hello@1.0.0", "params": {"echo": "\xff"}}', "application/json", 400),
        (b'{"template_id": "hello@1.0.0", "params": {"echo": "\\ud800"}}', "application/json", 422),
        (b'{"template_id": "hello@1.0.0", "params": {"echo": "a\\u0000b"}}', "application/json", 422),
        (b'{"template_id": "hello@1.0.0", "params": {"echo": NaN}}', "application/json", 422),
        (
            b'{"template_id": "hello@1.0.0", "params": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
            "application/json",
            400,
        ),
    ],
)
def test_a_body_that_cannot_be_read(acme: Tenant, content: bytes, content_type: str, status: int) -> None:
    with acme.client() as client:
        answer = client.post("/api/v1/runs", content=content, headers={"content-type": content_type})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_another_sites_page_may_not_write(acme: Tenant) -> None:
    answer = acme.request("POST", "/api/v1/runs", {"template_id": "hello@1.0.0"}, origin="http://evil.example")
    assert answer.status_code == httpx.codes.FORBIDDEN
