"""A run, from a person's request to a registered model: each record of it, where it is kept."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import git
import pytest
import yaml

from intents.models import files_digest
from tests.e2e.harness import RunningPlatform, Tenant, events_on_stream

pytestmark = [pytest.mark.parts, pytest.mark.triton]

RUN = "trains"
STATES = ["created", "submitted", "running", "registering", "succeeded"]


@pytest.fixture(scope="module")
def asked(acme: Tenant) -> dict[str, Any]:
    return acme.start_run("train-classifier@1.0.0", RUN, model="classifier", rounds=20)


@pytest.fixture(scope="module")
def run(acme: Tenant, asked: dict[str, Any]) -> dict[str, Any]:
    return acme.succeeded(RUN)


@pytest.fixture(scope="module")
def version(acme: Tenant, run: dict[str, Any]) -> dict[str, Any]:
    (found,) = acme.get("/api/v1/models/classifier/versions")["items"]
    return dict(found)


def trailers(commit: git.Commit) -> dict[str, str]:
    lines = str(commit.message).strip().rpartition("\n\n")[2].splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_the_request_is_one_commit_of_the_person_by_the_platform(
    platform: RunningPlatform, asked: dict[str, Any]
) -> None:
    commit = platform.repository.commit(asked["commit"])
    assert (commit.author.name, commit.author.email) == ("local@localhost", "local@localhost")
    assert commit.committer.name == "ordain"
    assert trailers(commit) == {"Ordain-Request": asked["request"], "Ordain-Intent": asked["paths"][0]}
    assert list(commit.stats.files) == asked["paths"]
    assert asked["commit"] in {each.hexsha for each in platform.repository.iter_commits("main")}
    intent = yaml.safe_load((commit.tree / asked["paths"][0]).data_stream.read())
    assert intent["spec"]["template"] == "train-classifier@1.0.0"
    assert intent["spec"]["parameters"] == {"rounds": 20}


def test_its_tasks_ran_in_order_and_left_logs_and_metrics(acme: Tenant, run: dict[str, Any]) -> None:
    tasks = acme.get(f"/api/v1/runs/{RUN}/tasks")["items"]
    assert [(task["name"], task["state"]) for task in tasks] == [
        ("prepare", "succeeded"),
        ("train", "succeeded"),
        ("evaluate", "succeeded"),
    ]
    assert tasks[-1]["metrics"]["accuracy"] > 0.9
    log = acme.request("GET", f"/api/v1/runs/{RUN}/logs?task=train")
    assert "20 rounds" in log.text


def test_its_events_are_on_the_stream_in_order_each_once(platform: RunningPlatform, run: dict[str, Any]) -> None:
    subject = "ordain.acme.fraud.run.*"

    def of_this_run(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [event for event in events if event["data"].get("uid") == run["uid"]]

    seen = of_this_run(events_on_stream(platform.settings, subject, lambda all_: len(of_this_run(all_)) == len(STATES)))
    assert [event["subject"].rpartition(".")[2] for event in seen] == STATES
    assert len({event["message_id"] for event in seen}) == len(STATES)
    assert all(event["message_id"] == event["id"] and event["specversion"] == "1.0" for event in seen)
    assert {event["data"]["commit"] for event in seen} == {run["commit"]}


def test_the_model_version_names_every_byte_and_where_it_came_from(
    platform: RunningPlatform, run: dict[str, Any], version: dict[str, Any]
) -> None:
    assert run["model"] == version["id"] == "classifier@1"
    stored = platform.objects("models", f"acme/fraud/classifier/{version['digest'].removeprefix('sha256:')}/")
    listed = {file["path"]: (file["size"], file["sha256"]) for file in version["files"]}
    assert listed == {path: (len(body), hashlib.sha256(body).hexdigest()) for path, body in stored.items()}
    assert set(listed) == {"classifier/config.pbtxt", "classifier/1/model.onnx"}
    assert version["digest"] == files_digest((path, *entry) for path, entry in listed.items())
    assert version["lineage"]["commit"] == run["commit"]
    assert version["lineage"]["task"] == "train"
    assert version["lineage"]["run"].endswith(f"/{RUN}")
    assert [each["name"] for each in version["signature"]["inputs"]] == ["input"]
    assert {each["name"] for each in version["signature"]["outputs"]} == {"label", "probabilities"}


def test_the_model_version_is_a_commit_on_behalf_of_the_person(
    platform: RunningPlatform, run: dict[str, Any], version: dict[str, Any]
) -> None:
    path = "tenants/acme/projects/fraud/models/classifier/1.yaml"
    (commit,) = platform.repository.iter_commits("main", paths=path)
    assert commit.author.name == "ordain-registry"
    assert commit.committer.name == "ordain"
    said = trailers(commit)
    assert said["Ordain-Intent"] == path
    assert RUN in said["Ordain-Cause"]
    assert said["Ordain-On-Behalf-Of"] == "local@localhost"


def test_its_terminal_record_is_kept_apart_from_the_ledger(platform: RunningPlatform, run: dict[str, Any]) -> None:
    record = json.loads(bytes(platform.bucket("records").get(f"runs/{run['uid']}/1.json").bytes()))
    assert (record["state"], record["model"], record["run_id"]) == ("succeeded", "classifier@1", run["run_id"])
    assert record["commit"] == run["commit"]
    assert {output["task"] for output in record["outputs"]} == {"prepare", "train", "evaluate"}


def test_the_served_model_answers_as_the_run_predicted(acme: Tenant, run: dict[str, Any]) -> None:
    expected = acme.get(f"/api/v1/runs/{RUN}/artifacts/evaluate/predictions")
    acme.deploy("classifies", "v1", run["model"])
    acme.settled("classifies", "v1")
    rows: list[list[float]] = expected["rows"]
    data = [value for row in rows for value in row]
    answer = acme.infer(
        "classifies", "classifier", [{"name": "input", "datatype": "FP32", "shape": [len(rows), 30], "data": data}]
    )
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["label"] == expected["labels"]
    flat = [value for row in expected["probabilities"] for value in row]
    assert outputs["probabilities"] == pytest.approx(flat, abs=1e-6)


def test_the_timeline_leads_from_the_request_to_the_served_model(acme: Tenant, run: dict[str, Any]) -> None:
    events = acme.get("/api/v1/timeline?limit=500")["items"]
    told = {
        (event["type"].removeprefix("dev.ordain."), event["subject"], event["data"]["commit"][:7])
        for event in reversed(events)
    }
    commit = run["commit"][:7]
    for verb in ("committed", *STATES):
        assert (f"run.{verb}", RUN, commit) in told
    nouns = {(kind, subject) for kind, subject, _ in told}
    assert ("model.registered", "classifier@1") in nouns
    for verb in ("committed", "rendered", "applied", "ready"):
        assert (f"deployment.{verb}", "classifies") in nouns
