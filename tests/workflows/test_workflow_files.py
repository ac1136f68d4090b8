"""The workflow files by themselves: what actionlint and zizmor say, and what neither of them holds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.act import BIN, ROOT
from tests.workflows.conftest import CALLED, CALLER

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))


def said(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def load(file: Path) -> dict[str, Any]:
    # `on` is a truth value of YAML 1.1; a workflow's keys are text.
    loaded: dict[str, Any] = yaml.load(file.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - texts alone
    return loaded


def test_actionlint_finds_nothing() -> None:
    assert said(BIN / "actionlint", "-no-color", *WORKFLOWS) == ""


def test_zizmor_finds_nothing() -> None:
    hooks = ROOT / ".pre-commit-hooks.yaml"
    assert said(BIN / "zizmor", "--offline", "--no-progress", "--strict-collection", ROOT / ".github", hooks) == ""


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: file.stem)
def test_actions_of_others_are_pinned_by_commit(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())
    for name, rest in used:
        if not name.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", name)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", rest)


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: file.stem)
def test_no_script_holds_an_expression(file: Path) -> None:
    document = load(file)
    jobs = document.get("jobs", {"action": document.get("runs")})
    scripts = [step["run"] for job in jobs.values() for step in job.get("steps", ()) if "run" in step]
    assert not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflows_start_without_permissions_and_end_in_time(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in workflow["on"]
    assert workflow["concurrency"]["group"].endswith("${{ github.ref }}")
    for job in workflow["jobs"].values():
        assert int(job["timeout-minutes"]) <= 30
        assert job["permissions"]["contents"] == "read"


def test_the_page_shows_the_workflow_that_is_tested() -> None:
    _, _, commit = CALLED.partition("@")
    shown = CALLER.decode().replace("example/ordain", "OWNER/ordain").replace(commit, "COMMIT")
    assert shown.strip() in (ROOT / "docs" / "ci.md").read_text()
