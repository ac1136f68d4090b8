"""validate.yml and plan.yml on pull requests of a tenant's repository, run by act."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.act import ROOT, Act, Ran, checked_out, git, pull_request
from tests.support.github import TOKEN, GitHub
from tests.workflows.conftest import CALLED

RUN = "tenants/acme/projects/fraud/runs/2026-11-24/weekly.yaml"
PROJECT = "tenants/acme/projects/fraud/project.yaml"
GOOD_RUN = b"apiVersion: ordain.dev/v1alpha1\nkind: Run\nspec:\n  template: hello@1.0.0\n"
BAD_RUN = b"apiVersion: ordain.dev/v1alpha1\nkind: Run\nspec:\n  template: helo@1.0.0\n"
GOOD = {RUN: GOOD_RUN}
# What stands in the file is wrong, and what is changed cannot be: only the commit before shows the second.
BAD = {RUN: BAD_RUN, PROJECT: (ROOT / PROJECT).read_bytes().replace(b"cluster: local", b"cluster: elsewhere")}


def run(act: Act, repository: Path, job: str, event: Mapping[str, Any], forge: GitHub | None = None) -> Ran:
    words = ["--job", job, "--local-repository", f"{CALLED}={ROOT}"]
    env = {"GITHUB_API_URL": forge.address} if forge else {}
    workspace = checked_out(repository, repository.parent / git(repository, "rev-parse", "HEAD"))
    return act.run(workspace, *words, "--secret", f"GITHUB_TOKEN={TOKEN}", event=event, env=env)


def test_a_good_change_is_valid(act: Act, intents: Path) -> None:
    ran = run(act, intents, "validate", pull_request(intents, GOOD))
    assert ran.succeeded, ran.output
    assert "::error" not in ran.output
    assert findings(act.uploaded) == []


def test_a_bad_change_is_annotated_where_it_is_wrong(act: Act, intents: Path) -> None:
    ran = run(act, intents, "validate", pull_request(intents, BAD))
    assert not ran.succeeded
    annotated = re.findall(r"::error .*?file=([^,:]+),line=(\d+)", ran.output)
    assert (RUN, "4") in annotated, ran.output
    assert (PROJECT, "5") in annotated, ran.output
    assert "did you mean" in ran.output
    assert {("unknown-template", RUN, 4), ("immutable-field", PROJECT, 5)} <= set(findings(act.uploaded))


def findings(file: Path) -> list[tuple[str, str, int]]:
    """Return code, path and line of each result of a SARIF 2.1.0 file."""
    results = json.loads(file.read_text())["runs"][0]["results"]
    places = [(each["ruleId"], each["locations"][0]["physicalLocation"]) for each in results]
    return [(code, place["artifactLocation"]["uri"], place["region"]["startLine"]) for code, place in places]


def test_a_plan_is_a_comment_updated_in_place(act: Act, intents: Path, forge: GitHub) -> None:
    assert run(act, intents, "plan", pull_request(intents, GOOD), forge).succeeded
    first = forge.comments[0]["body"]
    more = pull_request(intents, {RUN.replace("weekly", "daily"): GOOD_RUN})
    assert run(act, intents, "plan", more, forge).succeeded
    assert len(forge.comments) == 1
    assert "weekly" in first
    assert "daily" not in first
    assert "daily" in forge.comments[0]["body"]
    assert [line.split()[0] for line in forge.asked] == ["POST", "PATCH"]


def test_a_plan_of_a_bad_change_shows_its_problems(act: Act, intents: Path, forge: GitHub) -> None:
    run(act, intents, "plan", pull_request(intents, BAD), forge)
    assert "unknown-template" in forge.comments[0]["body"]
