"""SIGKILL to each process in the middle of a run and of a deployment: the work completes, once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping

import pytest
from _pytest.mark.structures import ParameterSet

from reconciler.process_identity import identity_of, is_alive
from reconciler.services.status import ProcessStatus
from tests.e2e.harness import ONES, RunningPlatform, Tenant, until

pytestmark = [pytest.mark.parts, pytest.mark.triton]

# What dies together, by a name short enough for what is asked for; longer rows are marked.
IN_A_RUN = {
    "brain": ("reconciler",),
    "front": ("writer", "api"),
    "memory": ("postgres", "nats"),
    "all": ("postgres", "nats", "s3", "envoy", "api", "writer", "reconciler"),
}
IN_A_RUN_LONG = {name: (name,) for name in ("postgres", "nats", "s3", "writer", "api", "envoy")}
IN_A_DEPLOYMENT = {"hands": ("reconciler", "envoy"), "stores": ("s3", "nats")}
IN_A_DEPLOYMENT_LONG = {name: (name,) for name in ("postgres", "nats", "s3", "writer", "api", "envoy", "reconciler")}


def rows(short: Mapping[str, tuple[str, ...]], long: Mapping[str, tuple[str, ...]]) -> list[ParameterSet]:
    return [
        *(pytest.param(name, parts, id="+".join(parts)) for name, parts in short.items()),
        *(pytest.param(name, parts, id="+".join(parts), marks=pytest.mark.long) for name, parts in long.items()),
    ]


def commits_touching(platform: RunningPlatform, path: str) -> int:
    return len(list(platform.repository.iter_commits("main", paths=path)))


@pytest.mark.parametrize(("name", "parts"), rows(IN_A_RUN, IN_A_RUN_LONG))
def test_a_run_survives_the_death_of(
    platform: RunningPlatform, acme: Tenant, name: str, parts: tuple[str, ...]
) -> None:
    model = f"survivor-{name}"
    asked = acme.start_run("scales@1.0.0", name, model=model, factor=4, seconds=3)
    until(lambda: acme.run(name)["state"] == "running", "the run to be running")
    platform.kill_and_wait(*parts)

    run = acme.succeeded(name)
    assert run["model"] == f"{model}@1"
    assert [(task["name"], task["state"]) for task in run["tasks"]] == [("make", "succeeded")]
    log = acme.request("GET", f"/api/v1/runs/{name}/logs?task=make").text
    assert log.count("making a model") == 1, "the engine ran it once"
    assert commits_touching(platform, asked["paths"][0]) == 1
    assert [each["version"] for each in acme.get(f"/api/v1/models/{model}/versions")["items"]] == [1]
    assert commits_touching(platform, f"tenants/acme/projects/fraud/models/{model}") == 1
    assert len({commit.hexsha for commit in platform.repository.iter_commits("main")}) == linear_length(platform)
    record = json.loads(bytes(platform.bucket("records").get(f"runs/{run['uid']}/1.json").bytes()))
    assert record["state"] == "succeeded"
    told = [event["type"] for event in acme.get("/api/v1/timeline?limit=500")["items"] if event["subject"] == name]
    assert len(told) == len(set(told)), "each fact is told once"


def servers_of(platform: RunningPlatform, deployment: str) -> list[ProcessStatus]:
    return [each for each in platform.status().served if f".{deployment}-" in each.name]


def linear_length(platform: RunningPlatform) -> int:
    return len(list(platform.repository.iter_commits("main", first_parent=True)))


@pytest.mark.parametrize(("name", "parts"), rows(IN_A_DEPLOYMENT, IN_A_DEPLOYMENT_LONG))
def test_a_deployment_survives_the_death_of(
    platform: RunningPlatform, acme: Tenant, scalers: tuple[str, str], name: str, parts: tuple[str, ...]
) -> None:
    acme.deploy(name, "v1", scalers[0])
    acme.settled(name, "v1")
    acme.deploy(name, "v2", scalers[1])
    platform.kill_and_wait(*parts)

    acme.settled(name, "v2")
    assert acme.scaled(name, "scaler") == 3
    # Serve; start, move, retire: no step was taken twice.
    assert commits_touching(platform, f"tenants/acme/projects/fraud/deployments/{name}.rollout.yaml") == 4
    until(lambda: len(servers_of(platform, name)) == 1, "the server of the version before to end")
    acme.write("DELETE", f"/api/v1/deployments/{name}")


def test_a_killed_model_server_comes_back_by_itself(
    platform: RunningPlatform, acme: Tenant, scalers: tuple[str, str]
) -> None:
    acme.deploy("phoenix", "v1", scalers[0])
    acme.settled("phoenix", "v1")
    (server,) = servers_of(platform, "phoenix")
    process = identity_of(server.pid)
    assert process is not None
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not is_alive(process), "it to be gone")

    def answers_again() -> bool:
        answer = acme.infer("phoenix", "scaler", [ONES])
        return answer.status_code == 200 and answer.json()["outputs"][0]["data"][0] == 2

    until(answers_again, "another to answer")
    acme.settled("phoenix", "v1")
    acme.write("DELETE", "/api/v1/deployments/phoenix")


def test_a_killed_run_has_failed_as_lost_and_is_not_run_again(platform: RunningPlatform, acme: Tenant) -> None:
    acme.start_run("sleeps@1.0.0", "killed-asleep", seconds=300)
    (child,) = until(
        lambda: platform.status().runs if acme.run("killed-asleep")["state"] == "running" else (), "its process"
    )
    os.kill(child.pid, signal.SIGKILL)
    run = acme.finished("killed-asleep")
    assert (run["state"], run["attempt"]) == ("failed", 1)
    assert "lost" in run["reason"]
    assert not platform.status().runs


def test_writes_during_a_death_are_each_committed_once(platform: RunningPlatform, acme: Tenant) -> None:
    names = [f"amid-{number}" for number in range(8)]
    body = [{"template_id": "hello@1.0.0", "name": name} for name in names]
    requests = []
    for number, each in enumerate(body):
        answer = acme.request("POST", "/api/v1/runs", each)
        assert answer.status_code in {201, 202}, answer.text
        requests.append(answer.json()["request"])
        if number == len(body) // 2:
            back = platform.kill("writer")
    until(back, "writer to come back")

    def committed() -> bool:
        return all(acme.get(f"/api/v1/requests/{each}")["state"] == "committed" for each in requests)

    until(committed, "every request to be committed")
    for request in requests:
        path = acme.get(f"/api/v1/requests/{request}")["paths"][0]
        assert commits_touching(platform, path) == 1
    for name in names:
        acme.succeeded(name)
