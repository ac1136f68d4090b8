"""The supervisor itself: asked twice, killed, stopped in the middle, and started again."""

from __future__ import annotations

import json

import pytest

from reconciler.process_identity import identity_of, is_alive
from tests.e2e.harness import ONES, PARTS, RunningPlatform, Tenant, until

pytestmark = [pytest.mark.parts, pytest.mark.triton]


def test_up_while_up_says_so_and_changes_nothing(platform: RunningPlatform) -> None:
    before = [(part.name, part.pid) for part in platform.status().parts]
    for words in (("up", "--detach"), ("up",)):
        done = platform.ordain(*words)
        assert done.returncode == 1
        assert "up already" in done.stderr
    assert [(part.name, part.pid) for part in platform.status().parts] == before


def test_status_names_every_part_with_pid_address_memory_and_health(platform: RunningPlatform) -> None:
    done = platform.ordain("status", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {part["name"] for part in shown["parts"]} == {*PARTS, "supervisor"}
    assert all(part["pid"] and part["memory"] and part["health"] == "ready" for part in shown["parts"])
    assert shown["healthy"]


def test_the_next_up_takes_over_from_a_killed_supervisor(
    platform: RunningPlatform, acme: Tenant, scalers: tuple[str, str]
) -> None:
    acme.deploy("outlives", "v1", scalers[0])
    acme.settled("outlives", "v1")
    acme.start_run("sleeps@1.0.0", "outlives", seconds=5)
    until(lambda: acme.run("outlives")["state"] == "running", "the run to be running")
    left = [identity for part in platform.status().parts if (identity := identity_of(part.pid))]
    platform.kill_supervisor()
    assert platform.ordain("status").returncode == 1
    platform.up()
    assert not any(is_alive(process) for process in left)

    acme.settled("outlives", "v1")
    assert acme.scaled("outlives", "scaler") == 2
    run = acme.finished("outlives")
    assert run["attempt"] == 1
    # A run that lived on is adopted; one that was ended with what was left is lost: never run a second time.
    assert run["state"] == "succeeded" or "lost" in run["reason"]


def test_down_ends_everything_and_up_continues_where_it_stopped(
    platform: RunningPlatform, acme: Tenant, scalers: tuple[str, str]
) -> None:
    acme.deploy("continues", "v1", scalers[0])
    acme.settled("continues", "v1")
    head = platform.repository.commit("main").hexsha
    runs = {run["name"]: run["state"] for run in acme.get("/api/v1/runs?limit=200")["items"]}
    port = platform.settings.edge_port
    platform.down()
    assert platform.ordain("status").returncode == 1

    platform.up()
    assert platform.settings.edge_port == port
    assert platform.repository.commit("main").hexsha == head, "nothing is committed by starting"
    # Until somebody looks at it again, what is told of the server is from before the break.
    until(lambda: acme.infer("continues", "scaler", [ONES]).is_success, "the server to be there again")
    acme.settled("continues", "v1")
    assert acme.scaled("continues", "scaler") == 2
    assert {run["name"]: run["state"] for run in acme.get("/api/v1/runs?limit=200")["items"]} == runs
    acme.start_run("hello@1.0.0", "after-the-break")
    acme.succeeded("after-the-break")


def test_a_run_that_down_ended_begins_again_with_the_next_up(platform: RunningPlatform, acme: Tenant) -> None:
    acme.start_run("scales@1.0.0", "interrupted", model="interrupted", factor=2, seconds=4)
    until(lambda: acme.run("interrupted")["state"] == "running", "the run to be running")
    done = platform.ordain("down")
    assert "1 unfinished run(s) begin again" in done.stdout
    platform.up()
    run = acme.succeeded("interrupted")
    assert (run["attempt"], run["model"]) == (1, "interrupted@1")
    told = [event for event in acme.get("/api/v1/timeline?limit=500")["items"] if event["subject"] == "interrupted"]
    submitted = [event["data"].get("reason", "") for event in told if event["type"].endswith("run.submitted")]
    assert submitted == ["begun again: the platform was stopped before it had ended", ""]
