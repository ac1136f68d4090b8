"""The script that keeps a comment up to date, at a GitHub in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.act import ROOT
from tests.support.github import TOKEN, GitHub

SCRIPT = ROOT / "scripts" / "comment_on_pull_request.py"
MARKER = "<!-- ordain plan -->"


def comment(forge: GitHub, folder: Path, text: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    file = folder / "plan.md"
    file.write_text(text)
    env = {
        **os.environ,
        "GITHUB_API_URL": forge.address,
        "GITHUB_REPOSITORY": "acme/intents",
        "GITHUB_TOKEN": token,
        "PULL_REQUEST": "7",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, str(SCRIPT), "ordain plan", str(file)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_created_once_and_then_updated_in_place(forge: GitHub, tmp_path: Path) -> None:
    person = forge.add("looks good")
    for text in ("first", "second", "second"):
        assert comment(forge, tmp_path, text).returncode == 0
    assert [each["body"] for each in forge.comments] == ["looks good", f"{MARKER}\nsecond"]
    assert forge.asked == [
        "POST /repos/acme/intents/issues/7/comments",
        f"PATCH /repos/acme/intents/issues/comments/{person['id'] + 1}",
    ]


def test_it_is_found_behind_many_others(forge: GitHub, tmp_path: Path) -> None:
    for number in range(150):
        forge.add(f"comment {number}")
    forge.add(f"{MARKER}\nold", "Bot")
    assert comment(forge, tmp_path, "new").returncode == 0
    assert [each["body"] for each in forge.comments[-2:]] == ["comment 149", f"{MARKER}\nnew"]


def test_a_persons_comment_with_the_marker_is_left_alone(forge: GitHub, tmp_path: Path) -> None:
    forge.add(f"{MARKER}\nmine")
    assert comment(forge, tmp_path, "plan").returncode == 0
    assert [each["body"] for each in forge.comments] == [f"{MARKER}\nmine", f"{MARKER}\nplan"]


def test_a_long_plan_is_cut_to_what_a_comment_may_have(forge: GitHub, tmp_path: Path) -> None:
    assert comment(forge, tmp_path, "x" * 100_000).returncode == 0
    body = forge.comments[0]["body"]
    assert len(body) < 65_536
    assert body.endswith("the summary of the workflow run has the whole plan.*")


def test_a_plan_that_starts_with_the_marker_has_it_once(forge: GitHub, tmp_path: Path) -> None:
    assert comment(forge, tmp_path, f"{MARKER}\nplan\n").returncode == 0
    assert forge.comments[0]["body"] == f"{MARKER}\nplan"


def test_no_plan_is_said_in_place_of_the_one_before(forge: GitHub, tmp_path: Path) -> None:
    comment(forge, tmp_path, "plan")
    assert comment(forge, tmp_path, "").returncode == 0
    assert (
        forge.comments[0]["body"]
        == f"{MARKER}\nNo plan could be made of this change; the log of the workflow run says why."
    )


def test_a_token_that_can_only_read_is_no_failure(forge: GitHub, tmp_path: Path) -> None:
    forge.read_only = True
    done = comment(forge, tmp_path, "plan")
    assert done.returncode == 0
    assert done.stdout.startswith("::notice::")
    assert forge.comments == []


def test_a_wrong_token_is_a_failure(forge: GitHub, tmp_path: Path) -> None:
    assert comment(forge, tmp_path, "plan", token="wrong").returncode != 0
    assert forge.asked == []
