"""The line where a forge is home of main and deployments need another person's approval."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import git
import httpx
import pytest

from tests.e2e.harness import RunningPlatform, Tenant, until
from tests.support.forge_double import ANA, BOT, Pull
from tests.support.forges import World, gitea_double

pytestmark = [pytest.mark.parts, pytest.mark.triton]

NAME = "approved"
APPROVER = "ann@acme.example"
DEPLOYMENT = f"tenants/acme/projects/fraud/deployments/{NAME}.yaml"


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with gitea_double(tmp_path_factory.mktemp("forge")) as world:
        yield world


@pytest.fixture(scope="module")
def at_forge(tmp_path_factory: pytest.TempPathFactory, forge: World) -> Iterator[RunningPlatform]:
    """A platform whose platform.yaml names the forge, which has nothing yet."""
    started = RunningPlatform.seeded_at(tmp_path_factory.mktemp("at-forge"))
    edit(started.root / "platform/platform.yaml", "home: local", f"home: forge\n    {forge_line(forge)}")
    edit(
        started.root / "tenants/acme/tenant.yaml",
        "  members:\n",
        f"  members:\n    - user: {APPROVER}\n      roles: [approver]\n",
    )
    project = started.root / "tenants/acme/projects/fraud/project.yaml"
    project.write_text(project.read_text() + "  approvals: {ModelDeployment: 1}\n")
    token = started.root / "token"
    token.write_text(forge.tokens[BOT])
    started.layout.credentials.parent.mkdir(parents=True)
    started.layout.credentials.write_text(json.dumps({forge.url: {"token": {"file": str(token)}}}))
    started.up()
    try:
        yield started
    finally:
        started.down()


def forge_line(forge: World) -> str:
    return f"forge: {{provider: gitea, url: '{forge.url}', people: {{{ANA}: '{APPROVER}'}}}}"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def ordain(platform: RunningPlatform, *words: str) -> str:
    done = platform.ordain(*words, "--tenant", "acme")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def there(forge: World, path: str = "") -> git.Commit | None:
    """Return the newest commit of the forge's main that changed a path; without one, the newest."""
    assert forge.double is not None
    return next(git.Repo(forge.double.git_dir).iter_commits("main", paths=path), None)


def test_main_begins_on_the_forge(at_forge: RunningPlatform, forge: World) -> None:
    until(lambda: there(forge), "main to be on the forge")
    status = at_forge.tenant("acme").get("/api/v1/status")["repository"]
    assert (status["home"], status["forge"]["reason"]) == ("forge", "")


def test_a_deployment_is_served_once_it_is_approved(at_forge: RunningPlatform, forge: World) -> None:
    acme = at_forge.tenant("acme")
    model = acme.make_scaler("scaler", 2)
    change = proposed(acme, model)
    assert there(forge, DEPLOYMENT) is None
    refused = at_forge.ordain("change", "merge", change, "--tenant", "acme")
    assert (refused.returncode, "approval-missing" in refused.stdout + refused.stderr) == (1, True)
    shown = json.loads(ordain(at_forge, "change", "show", change, "--json", "--as", APPROVER))
    ordain(at_forge, "change", "approve", change, "--plan", shown["digest"], "--as", APPROVER)
    ordain(at_forge, "change", "merge", change)
    merged = there(forge, DEPLOYMENT)
    assert merged is not None
    assert re.search(f"^Ordain-Approved-By: {APPROVER}$", str(merged.message), re.MULTILINE)
    acme.settled(NAME, "v1")
    assert acme.scaled(NAME, "scaler") == 2


def test_a_change_is_approved_and_merged_by_its_pull_request(at_forge: RunningPlatform, forge: World) -> None:
    acme = at_forge.tenant("acme")
    change = proposed(acme, acme.make_scaler("scaler", 3), "reviewed", merge="&merge=when-approved")
    pull = until(lambda: pull_of(forge, change), "a pull request of the change")
    assert pull is not None
    until(lambda: statuses(forge, pull).get("ordain/approvals") == "pending", "the checks of the pull request")
    assert "### Plan:" in pull.body
    shown = json.loads(ordain(at_forge, "change", "show", change, "--json"))
    assert shown["pull_request"] == f"{forge.url}/pulls/{pull.number}"
    forge.review(pull.number, ANA)
    until(lambda: pull.merged_as, "the pull request to be merged")
    merged = there(forge, "tenants/acme/projects/fraud/deployments/reviewed.yaml")
    assert merged is not None
    assert pull.merged_as == merged.hexsha
    assert re.search(f"^Ordain-Approved-By: {APPROVER}$", str(merged.message), re.MULTILINE)
    until(lambda: forge.double and forge.double.head(f"refs/heads/change/{change}") is None, "the branch to go")


def pull_of(forge: World, change: str) -> Pull | None:
    assert forge.double is not None
    return forge.double.open_of(f"change/{change}")


def statuses(forge: World, pull: Pull) -> dict[str, str]:
    """Return the newest status of each name that the head of a pull request has."""
    assert forge.double is not None
    return {each["context"]: each["status"] for each in forge.double.statuses.get(pull.head, [])}


def proposed(acme: Tenant, model: str, name: str = NAME, merge: str = "") -> str:
    """Ask for a deployment; return the change that it becomes."""
    body = {"runtime": "triton", "traffic": {"replace": {}}, "versions": [{"name": "v1", "model": model}]}
    answer = acme.request("PUT", f"/api/v1/deployments/{name}?wait=30{merge}", body)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    document: dict[str, Any] = answer.json()
    assert document["state"] == "proposed", document
    return str(document["change"])
