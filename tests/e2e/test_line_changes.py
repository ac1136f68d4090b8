"""A tenant whose deployments others approve: from the write that opens a change to the manifests of what was merged."""

from __future__ import annotations

from collections.abc import Iterator
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.harness import RunningPlatform, Tenant, until

pytestmark = [pytest.mark.parts, pytest.mark.triton]

TENANT, PROJECT, NAME = "initech", "credit", "scoring"
ALICE, BOB = "alice@initech.example", "bob@initech.example"
FOLDER = f"tenants/{TENANT}"
PATH = f"{FOLDER}/projects/{PROJECT}/deployments/{NAME}.yaml"
CHANGES = "/api/v1/changes"


def document(kind: str, spec: dict[str, Any]) -> str:
    return yaml.safe_dump({"apiVersion": "ordain.dev/v1alpha1", "kind": kind, "spec": spec})


@pytest.fixture(scope="module")
def tenant(platform: RunningPlatform) -> str:
    """Alice develops, Bob approves; a deployment takes one approval."""
    members = [{"user": ALICE, "roles": ["developer"]}, {"user": BOB, "roles": ["approver"]}]
    specs = {
        f"{FOLDER}/tenant.yaml": document(
            "Tenant",
            {"displayName": "Initech", "hostnames": [TENANT]} | {"defaultProject": PROJECT, "members": members},
        ),
        f"{FOLDER}/projects/{PROJECT}/project.yaml": document(
            "Project", {"cluster": "local", "quota": {"concurrentRuns": 2}, "approvals": {"ModelDeployment": 1}}
        ),
    }
    writes = [{"path": path, "content": content, "expects": "absent"} for path, content in specs.items()]
    platform.tenant("").write("POST", CHANGES, {"subject": "Add Initech", "writes": writes})
    return TENANT


@pytest.fixture(scope="module")
def alice(platform: RunningPlatform, tenant: str) -> Iterator[Tenant]:
    """Alice, and in the end no server of hers is left."""
    person = platform.tenant(tenant, ALICE)
    yield person
    change = proposed(person, "DELETE", f"/api/v1/deployments/{NAME}?merge=when-approved&wait=30")
    approve(platform, change, BOB, shown(person, change)["digest"])
    until(lambda: not [each for each in platform.status().served if NAME in each.name], "its servers to end")


@pytest.fixture(scope="module")
def models(alice: Tenant) -> tuple[str, str]:
    return alice.make_scaler("scaler", 2), alice.make_scaler("scaler", 3)


def proposed(person: Tenant, method: str, path: str, body: object = None) -> str:
    """Send a write that takes approval, and return the change that it became."""
    answer = person.request(method, path, body)
    told = answer.json()
    assert (answer.status_code, told["state"], told["commit"]) == (httpx.codes.ACCEPTED, "proposed", None), told
    assert answer.headers["Location"] == f"{CHANGES}/{told['change']}"
    return str(told["change"])


def propose(person: Tenant, version: str, model: str, merge: str = "") -> str:
    body = {"runtime": "triton", "traffic": {"replace": {}}, "versions": [{"name": version, "model": model}]}
    return proposed(person, "PUT", f"/api/v1/deployments/{NAME}?wait=30{merge}", body)


def shown(person: Tenant, change: str) -> dict[str, Any]:
    found: dict[str, Any] = person.get(f"{CHANGES}/{change}")
    return found


def said(platform: RunningPlatform, person: str, *words: str) -> CompletedProcess[str]:
    """Run `ordain change …` as a person."""
    return platform.ordain("change", *words, "--tenant", TENANT, "--as", person)


def approve(platform: RunningPlatform, change: str, person: str, digest: str) -> str:
    done = said(platform, person, "approve", change, "--plan", digest[:12])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_deployment_is_merged_with_the_approval_it_waits_for(
    platform: RunningPlatform, alice: Tenant, models: tuple[str, str]
) -> None:
    main = platform.repository.commit("main").hexsha
    change = propose(alice, "v1", models[0], "&merge=when-approved")
    branch = platform.repository.commit(f"change/{change}")
    assert branch.parents[0].hexsha == platform.repository.commit("main").hexsha == main
    assert list(branch.stats.files) == [PATH]
    assert alice.request("GET", f"/api/v1/deployments/{NAME}").status_code == httpx.codes.NOT_FOUND

    digest = shown(alice, change)["digest"]
    refused = said(platform, ALICE, "approve", change, "--plan", digest)
    assert (refused.returncode, "not-an-approver" in refused.stderr) == (1, True), refused.stderr
    assert approve(platform, change, BOB, digest).startswith("approved; merged as commit ")
    alice.settled(NAME, "v1")
    merged = next(platform.repository.iter_commits("main", paths=PATH))
    assert (merged.author.name, f"Ordain-Approved-By: {BOB}" in str(merged.message)) == (ALICE, True)
    assert f"change/{change}" not in {head.name for head in platform.repository.heads}


def test_an_approval_stands_while_the_plan_does_and_falls_with_it(
    platform: RunningPlatform, alice: Tenant, models: tuple[str, str]
) -> None:
    second = propose(alice, "v2", models[1], "&merge=when-approved")
    approve(platform, second, BOB, shown(alice, second)["digest"])
    alice.settled(NAME, "v2")

    change = propose(alice, "v3", models[0])
    read = shown(alice, change)["digest"]
    assert approve(platform, change, BOB, read).startswith(f"approved; merge it: ordain change merge {change} ")
    alice.start_run("hello@1.0.0", "beside")
    assert (shown(alice, change)["digest"], shown(alice, change)["mergeable"]) == (read, True), "main moved elsewhere"

    alice.write("POST", f"/api/v1/deployments/{NAME}:rollback", {"reason": "answers are too large"})
    alice.settled(NAME, "v1")
    fallen = shown(alice, change)
    assert [each["fallen"] for each in fallen["approvals"]] == ["main moved and the plan is another now"]
    assert (fallen["digest"] == read, fallen["missing"], fallen["mergeable"]) == (False, 1, False)
    refused = said(platform, ALICE, "merge", change)
    assert (refused.returncode, "approval-missing" in refused.stderr) == (1, True), refused.stderr
    assert said(platform, BOB, "approve", change, "--plan", read).returncode == 1, "the plan that was read is no more"

    approve(platform, change, BOB, fallen["digest"])
    done = said(platform, ALICE, "merge", change)
    assert done.returncode == 0, done.stderr
    alice.settled(NAME, "v3")
    ended = shown(alice, change)
    assert (ended["state"], ended["ended_by"], ended["commit"] in done.stdout) == ("merged", ALICE, True)
    tree = platform.repository.commit("rendered/local").tree / TENANT / PROJECT
    manifest = yaml.safe_load((tree / f"inferenceservice-{NAME}-v3.yaml").data_stream.read())
    assert manifest["kind"] == "InferenceService"


def test_a_closed_change_leaves_main_as_it_was(
    platform: RunningPlatform, alice: Tenant, models: tuple[str, str]
) -> None:
    change = propose(alice, "v4", models[1])
    assert change in said(platform, BOB, "list").stdout
    assert said(platform, BOB, "close", change).stdout == "closed\n"
    assert (shown(alice, change)["state"], shown(alice, change)["ended_by"]) == ("closed", BOB)
    assert change not in said(platform, BOB, "list").stdout
    assert f"Change {change}  closed" in said(platform, BOB, "show", change).stdout
    assert change not in alice.request("GET", CHANGES).text
    assert [each["name"] for each in alice.deployment(NAME)["spec"]["versions"]] == ["v3"]
