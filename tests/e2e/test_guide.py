"""The commands of docs/guide.md, run as they stand there, on the real parts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.e2e.harness import CHECKOUT, RunningPlatform

pytestmark = [
    pytest.mark.parts,
    pytest.mark.triton,
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl, which the guide's commands use"),
]

GUIDE_SECONDS = 180.0


def commands() -> str:
    text = (CHECKOUT / "docs" / "guide.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def test_the_guide_does_what_it_says(platform: RunningPlatform) -> None:
    (platform.root / ".venv").symlink_to(CHECKOUT / ".venv")
    done = subprocess.run(
        ["bash", "-eu", "-c", commands()],
        cwd=platform.root,
        capture_output=True,
        text=True,
        timeout=GUIDE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    answers = [json.loads(line)["outputs"] for line in done.stdout.splitlines() if line.startswith('{"model_name"')]
    first, second, again = ({each["name"]: each["data"] for each in outputs} for outputs in answers)
    assert first == again, "rolled back"
    assert first != second
    assert "Register tumour from tumour-second" in done.stdout
    assert '"reason":"v2 answers oddly"' in done.stdout
