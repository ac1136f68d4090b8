"""The commands of docs/cli.md, run as they stand there, on the real parts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness import CHECKOUT, RunningPlatform

pytestmark = pytest.mark.parts

SECONDS = 120.0


def commands() -> str:
    text = (CHECKOUT / "docs" / "cli.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def test_the_page_does_what_it_says(platform: RunningPlatform) -> None:
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", commands()],
        cwd=platform.root,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    said = iter(done.stdout.splitlines())
    for line in (
        "NAME +DEPRECATED",
        "NAME +BY +AGE +COMMIT",
        "Plan: intents: 1 added; .*",
        "Nothing was written[.]",
        "run/hello-1 created in [0-9a-f]{12}",
        "run/hello-1 unchanged",
        "[+]  template: hello@1[.]0[.]0",
        "run/hello-2 to be created",
        "1 changed, .*; written in [0-9a-f]{12}",
        "run/hello-1 changed in [0-9a-f]{12}",
        "NAME +STATE +ATTEMPT +TEMPLATE +MODEL +AGE",
        '  "path": "tenants/acme/projects/fraud/runs/.*/hello-1.yaml",',
        "[0-9a-f]{12} .* Change Run acme/fraud/hello-1",
        "[0-9a-f]{12} .* Add Run acme/fraud/hello-1",
        "[+]  desired: Cancelled",
        "tenant/acme changed in [0-9a-f]{12}",
        "tenant/acme reverted to [0-9a-f]{12} in [0-9a-f]{12}",
    ):
        assert any(re.fullmatch(line, each) for each in said), f"{line} is missing, or too early: {done.stdout}"
    assert "conflict: run/hello-1 changed since you read it; nothing was written" in done.stderr
