"""A deployment from the commit to the answer: rendered, replaced under traffic, rolled back, removed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import yaml

from reconciler.process_identity import identity_of, is_alive
from tests.e2e.harness import ONES, RunningPlatform, Tenant, until

pytestmark = [pytest.mark.parts, pytest.mark.triton]

NAME = "scaling"


@dataclass
class Traffic:
    """What continuous requests were answered: statuses and, of the successes, the factors."""

    answers: list[tuple[str, float]] = field(default_factory=list)

    @property
    def failures(self) -> Counter[str]:
        return Counter(status for status, _ in self.answers if status != "200")

    @property
    def factors(self) -> list[float]:
        """The factors in the order in which they first took over."""
        seen: list[float] = []
        for _, factor in self.answers:
            if not seen or seen[-1] != factor:
                seen.append(factor)
        return seen


@contextmanager
def continuous_traffic(tenant: Tenant, deployment: str) -> Iterator[Traffic]:
    """Send inferences one after the other, on one kept connection, while the body runs."""
    traffic, stop = Traffic(), threading.Event()

    def send() -> None:
        path = tenant.infer_path(deployment, "scaler")
        with tenant.client() as client:
            while not stop.is_set():
                traffic.answers.append(_answer(client, path))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield traffic
    finally:
        stop.set()
        sender.join(timeout=60)


def _answer(client: httpx.Client, path: str) -> tuple[str, float]:
    try:
        answer = client.post(path, json={"inputs": [ONES]})
    except httpx.HTTPError as error:
        return repr(error), 0.0
    if answer.status_code != httpx.codes.OK:
        return f"{answer.status_code} {answer.text[:200]}", 0.0
    return "200", float(answer.json()["outputs"][0]["data"][0])


@pytest.fixture(scope="module")
def first(acme: Tenant, scalers: tuple[str, str]) -> dict[str, Any]:
    """The first version, served alone."""
    acme.deploy(NAME, "v1", scalers[0])
    return acme.settled(NAME, "v1")


def test_the_first_version_is_rendered_as_kserve_and_gateway_manifests(
    platform: RunningPlatform, acme: Tenant, first: dict[str, Any]
) -> None:
    tree = platform.repository.commit("rendered/local").tree / "acme" / "fraud"
    service = yaml.safe_load((tree / f"inferenceservice-{NAME}-v1.yaml").data_stream.read())
    route = yaml.safe_load((tree / f"httproute-{NAME}.yaml").data_stream.read())
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    digest = first["spec"]["versions"][0]["digest"]
    assert digest.removeprefix("sha256:") in service["spec"]["predictor"]["model"]["storageUri"]
    assert route["spec"]["hostnames"] == [acme.host]
    weights = {each["name"]: each["weight"] for each in route["spec"]["rules"][0]["backendRefs"]}
    assert weights == {f"{service['metadata']['name']}-predictor": 100}


def test_every_condition_names_the_blob_it_was_observed_for(first: dict[str, Any]) -> None:
    conditions = {each["type"]: each for each in first["conditions"]}
    assert set(conditions) == {"Accepted", "Rendered", "Applied", "Ready"}
    assert all(each["status"] and each["observed_blob"] == first["blob"] for each in conditions.values())


def test_only_the_public_v2_paths_answer(acme: Tenant, first: dict[str, Any]) -> None:
    base = f"/serve/fraud/{NAME}"
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/scaler", "/v2/models/scaler/ready"):
        assert acme.request("GET", base + path).status_code == httpx.codes.OK, path
    assert acme.get(f"{base}/v2/models/scaler")["name"] == "scaler"


def test_replacing_and_rolling_back_fail_no_request(
    platform: RunningPlatform, acme: Tenant, scalers: tuple[str, str], first: dict[str, Any]
) -> None:
    with continuous_traffic(acme, NAME) as traffic:
        until(lambda: len(traffic.answers) > 10, "traffic to flow")
        acme.deploy(NAME, "v2", scalers[1])
        replaced = acme.settled(NAME, "v2")
        assert acme.scaled(NAME, "scaler") == 3
        assert [each["name"] for each in replaced["rollout"]["lastGood"]] == ["v1"]

        acme.write("POST", f"/api/v1/deployments/{NAME}:rollback", {"reason": "answers are too large"})
        back = acme.settled(NAME, "v1")
        assert acme.scaled(NAME, "scaler") == 2
        assert back["rollout"]["hold"]["reason"] == "answers are too large"
        count = len(traffic.answers)
        until(lambda: len(traffic.answers) > count + 10, "more traffic after it")
    assert not traffic.failures
    assert traffic.factors == [2, 3, 2]
    steps = [
        str(commit.summary)
        for commit in platform.repository.iter_commits(
            "main", paths=f"tenants/acme/projects/fraud/deployments/{NAME}.rollout.yaml"
        )
    ]
    # Serve; start, move, retire; the way back: start, move, retire.
    assert len(steps) == 7, steps


def test_a_change_of_the_deployment_ends_the_hold(
    acme: Tenant, scalers: tuple[str, str], first: dict[str, Any]
) -> None:
    acme.deploy(NAME, "v3", scalers[1])
    released = acme.settled(NAME, "v3")
    assert "hold" not in released["rollout"]


def test_a_removed_deployment_ends_its_servers_and_routes(
    platform: RunningPlatform, acme: Tenant, scalers: tuple[str, str]
) -> None:
    acme.deploy("short-lived", "v1", scalers[0])
    acme.settled("short-lived", "v1")
    (server,) = [each for each in platform.status().served if "short-lived" in each.name]
    process = identity_of(server.pid)
    assert process is not None

    acme.write("DELETE", "/api/v1/deployments/short-lived")
    assert acme.request("GET", "/api/v1/deployments/short-lived").status_code == httpx.codes.NOT_FOUND
    until(lambda: not is_alive(process), "its server to end")
    answer = until(
        lambda: (got := acme.infer("short-lived", "scaler", [ONES])).status_code == httpx.codes.NOT_FOUND and got,
        "its route to be gone",
    )
    assert answer
    tree = platform.repository.commit("rendered/local").tree / "acme" / "fraud"
    assert not [blob.path for blob in tree.blobs if "short-lived" in str(blob.path)]
