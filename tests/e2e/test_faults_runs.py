"""Runs that do not go well, and models that are not what they were."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.harness import RunningPlatform, Tenant, until

pytestmark = [pytest.mark.parts, pytest.mark.triton]


def test_a_package_that_fails_says_why_with_its_log_at_hand(acme: Tenant) -> None:
    acme.start_run("fails@1.0.0", "explodes", message="the data is gone")
    run = acme.finished("explodes")
    assert run["state"] == "failed"
    assert "explode" in run["reason"]
    assert "the data is gone" in run["reason"]
    states = {task["name"]: task["state"] for task in run["tasks"]}
    assert states == {"begin": "succeeded", "explode": "failed", "never": "skipped"}
    log = acme.request("GET", "/api/v1/runs/explodes/logs?task=explode").text
    assert "ValueError: the data is gone" in log


def test_a_model_nobody_made_is_not_registered(acme: Tenant) -> None:
    body = {"template_id": "hello@1.0.0", "name": "modelless", "register": {"model": "nothing", "output": "model"}}
    answer = acme.request("POST", "/api/v1/runs?wait=30", body)
    if answer.status_code == httpx.codes.CREATED:  # refused at the latest when the run is done
        run = acme.finished("modelless")
        assert run["state"] == "failed"
        assert "model" in run["reason"]
    else:
        assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
    assert acme.request("GET", "/api/v1/models/nothing/versions").status_code == httpx.codes.NOT_FOUND


def test_a_run_is_cancelled_in_the_middle(platform: RunningPlatform, acme: Tenant) -> None:
    acme.start_run("sleeps@1.0.0", "cancelled-asleep", seconds=300)
    until(lambda: acme.run("cancelled-asleep")["state"] == "running", "the run to be running")
    acme.write("POST", "/api/v1/runs/cancelled-asleep:cancel")
    run = acme.finished("cancelled-asleep")
    assert run["state"] == "cancelled"
    until(lambda: not platform.status().runs, "its processes to end")


def test_altered_bytes_are_never_served_and_the_version_before_keeps_serving(
    platform: RunningPlatform, acme: Tenant, scalers: tuple[str, str]
) -> None:
    altered = acme.make_scaler("scaler", 5)
    (version,) = [each for each in acme.get("/api/v1/models/scaler/versions")["items"] if each["id"] == altered]
    key = f"acme/fraud/scaler/{version['digest'].removeprefix('sha256:')}/scaler/1/model.onnx"
    store = platform.bucket("models")
    genuine = bytes(store.get(key).bytes())
    store.put(key, genuine[:-1] + bytes([genuine[-1] ^ 1]))

    acme.deploy("guarded", "v1", scalers[0])
    acme.settled("guarded", "v1")
    acme.deploy("guarded", "v2", altered)

    def refused() -> str:
        return str(next((each["reason"] for each in acme.deployment("guarded")["served"] if each["name"] == "v2"), ""))

    until(lambda: "not those of the model version" in refused(), f"the reason to be shown, not {refused()!r}")
    found = acme.deployment("guarded")
    assert {each["name"]: each["weight"] for each in found["served"]} == {"v1": 100, "v2": 0}
    assert acme.scaled("guarded", "scaler") == 2
    reasons = " ".join(each["message"] for each in found["conditions"])
    assert version["digest"] in reasons

    store.put(key, genuine)  # a person restored the bytes: it goes on by itself
    acme.settled("guarded", "v2", 120)
    assert acme.scaled("guarded", "scaler") == 5
