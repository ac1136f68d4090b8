"""The commands of docs/api.md, run as they stand there, on the real parts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.e2e.harness import CHECKOUT, RunningPlatform

pytestmark = [
    pytest.mark.parts,
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl, which the page's commands use"),
]

SECONDS = 60.0
RUN = "tenants/acme/projects/fraud/runs/2026-11-23/sweep-1.yaml"


def commands() -> str:
    text = (CHECKOUT / "docs" / "api.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def answers(output: str) -> list[tuple[int, Any]]:
    """Return status and body of each answer in what curl printed."""
    found = re.findall(r"(.*?)\n(\d{3})\n", output, re.DOTALL)
    return [(int(status), json.loads(body) if body.lstrip().startswith("{") else body) for body, status in found]


def test_the_page_does_what_it_says(platform: RunningPlatform) -> None:
    done = subprocess.run(
        ["bash", "-eu", "-c", commands()],
        cwd=platform.root,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (made, again, planned, both, changed, late, *reads) = answers(done.stdout)
    assert (made[0], made[1]["paths"]) == (201, [RUN])
    assert again == made
    assert (planned[0], planned[1]["state"]) == (200, "planned")
    assert (both[0], len(both[1]["paths"])) == (201, 2)
    assert changed[0] == 200
    assert (late[0], late[1]["conflicts"][0]["path"]) == (409, RUN)
    (view, text, listed, history, first, diff) = reads
    assert view[1]["document"]["spec"]["desired"] == "Cancelled"
    assert text[1].startswith("# the first of a sweep\n")
    assert [each["name"] for each in listed[1]["items"]] == ["sweep-1"]
    assert [each["commit"] for each in history[1]["items"]] == [changed[1]["commit"], made[1]["commit"]]
    assert first[1]["document"]["spec"] == {"template": "hello@1.0.0"}
    assert [each["path"] for each in diff[1]["fields"]] == ["spec.desired"]
