"""`ordain plan` on repositories as people have them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.main import main
from reconciler.planning.plan.markdown import MARKER
from tests.fixtures.changes import CARD, CHURN, DEVICE, ENCODER, NIGHTLY, Files, edited, situations
from tests.fixtures.examples import example_files


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=ana", "-c", "user.email=ana@acme.example", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def put(folder: Path, files: Files) -> None:
    for path, body in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if body is None:
            file.unlink()
        else:
            file.write_bytes(body)


def commit(folder: Path, files: Files, message: str = "Change") -> str:
    put(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return the example repository, committed on main."""
    folder = tmp_path / "intents"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, example_files(), "Begin")
    return folder


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["plan", str(folder), *words])


def planned(folder: Path, *words: str) -> dict[str, Any]:
    result = run(folder, *words, "--format", "json")
    assert result.exit_code in {0, 1}, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def changes(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["change"], each["path"]) for each in found["intents"]]


def test_a_clean_work_tree_changes_nothing(repository: Path) -> None:
    result = run(repository)
    assert (result.exit_code, result.output.strip()) == (0, "Plan: nothing changes")


def test_files_are_planned_before_they_are_committed(repository: Path) -> None:
    put(repository, situations()["replace-bump"].files)
    result = run(repository)
    assert result.exit_code == 0, result.output
    assert "Start v3 beside v2" in result.output
    found = planned(repository)
    assert [each["deployment"] for each in found["traffic"]] == ["churn"]
    assert ("added", "tenants/globex/projects/churn/models/churn/3.yaml") in changes(found), "an untracked file"


def test_problems_are_exit_code_1(repository: Path) -> None:
    put(repository, situations()["over-quota"].files)
    result = run(repository, "--format", "markdown")
    assert result.exit_code == 1
    assert result.output.startswith(MARKER)
    assert ":warning: **Quota**" in result.output


def test_a_file_that_cannot_be_read_is_a_problem_and_no_removal(repository: Path) -> None:
    put(repository, {NIGHTLY: b"kind: [\n", **edited(CHURN, ("max: 2", "max: 3"))})
    found = planned(repository)
    assert changes(found) == [("changed", CHURN)]
    assert [each["code"] for each in found["problems"]] == ["yaml-syntax"]


def test_a_package_that_is_not_the_templates_own_is_a_problem(repository: Path) -> None:
    package = "templates/train-risk/1.0.0/pipeline.yaml"
    put(repository, edited(package, ("train-risk", "train-risks")))
    assert "package-changed" in {each["code"] for each in planned(repository)["problems"]}


def test_a_branch_is_compared_with_where_it_left_main(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--create", "feature")
    mine = commit(repository, edited(CARD, ("timeout: 2s", "timeout: 3s")))
    git(repository, "switch", "--quiet", "main")
    commit(repository, edited(DEVICE, ("timeout: 5s", "timeout: 6s")))
    assert changes(planned(repository, "--head", "feature")) == [("changed", CARD)]
    assert changes(planned(repository, "--base", "main", "--head", mine)) == [("changed", CARD)]
    git(repository, "switch", "--quiet", "feature")
    assert changes(planned(repository)) == [("changed", CARD)]
    assert changes(planned(repository, "--base", "HEAD")) == []


def test_a_bare_repository_has_commits_to_plan(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--create", "feature")
    commit(repository, edited(CARD, ("timeout: 2s", "timeout: 3s")))
    bare = repository.with_name("bare.git")
    git(repository, "clone", "--quiet", "--bare", ".", str(bare))
    assert changes(planned(bare, "--head", "feature")) == [("changed", CARD)]
    assert changes(planned(bare)) == [("changed", CARD)], "the branch of its HEAD"


def test_other_branches_of_changes_are_added_up(repository: Path) -> None:
    for name, files in (
        ("change/1", edited(DEVICE, ("max: 2", "max: 3"))),
        ("change/2", edited(ENCODER, ("max: 2", "max: 3"))),
    ):
        git(repository, "switch", "--quiet", "--create", name, "main")
        commit(repository, files)
    git(repository, "switch", "--quiet", "--create", "change/mine", "main")
    commit(repository, edited(ENCODER, ("max: 2", "max: 4")))
    git(repository, "branch", "change/merged", "main")
    found = {each["name"]: each for each in planned(repository)["others"]}
    assert found.keys() == {"change/1", "change/2"}, "neither itself nor what is merged"
    assert (found["change/1"]["adds"]["gpus/nvidia-l4"], found["change/1"]["conflicts"]) == ("2", [])
    assert found["change/2"]["conflicts"] == [ENCODER]
    clone = repository.with_name("clone")
    git(repository, "clone", "--quiet", "--branch", "change/mine", ".", str(clone))
    assert {each["name"] for each in planned(clone)["others"]} == {"change/1", "change/2"}, "at a remote"


def test_one_cluster_can_be_asked_for(repository: Path) -> None:
    put(repository, situations()["mass-deletion"].files)
    assert {each["cluster"] for each in planned(repository, "--cluster", "burst")["manifests"]} == {"burst"}
    result = run(repository, "--cluster", "moon")
    assert (result.exit_code, "there is no cluster moon" in result.output) == (2, True)


def test_what_cannot_be_read_is_exit_code_2_in_one_line(repository: Path, tmp_path: Path) -> None:
    unknown = run(repository, "--base", "nowhere")
    assert (unknown.exit_code, unknown.output) == (
        2,
        "Error: there is no commit nowhere here; fetch it, or name another\n",
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(empty).exit_code == 2
    git(empty, "init", "--quiet")
    assert run(empty).exit_code == 2
    assert run(tmp_path / "none").exit_code == 2


def test_a_folder_below_the_repositorys_root_is_one_of_its_own(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    folder = tmp_path / "deep" / "intents"
    commit(tmp_path, {f"deep/intents/{path}": body for path, body in example_files().items()}, "Begin")
    git(tmp_path, "switch", "--quiet", "--create", "change/1")
    commit(tmp_path, {f"deep/intents/{path}": body for path, body in edited(DEVICE, ("max: 2", "max: 3")).items()})
    git(tmp_path, "switch", "--quiet", "main")
    put(folder, edited(CARD, ("timeout: 2s", "timeout: 3s")))
    found = planned(folder)
    assert changes(found) == [("changed", CARD)]
    assert [each["intents"] for each in found["others"]] == [1]
