"""What every command shares: what the machine refuses, interruptions, and terminals of another encoding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.main import INTERRUPTED, main
from tests.fixtures.examples import ROOT, example_files

DISPLAY_NAME = "displayName: Acme"


def ordain(*words: str, output: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Call the command as a shell does; `output` is a file to write to."""
    command = [sys.executable, "-m", "api.main", *words]
    with open(output or os.devnull, "wb") as file:  # noqa: PTH123 - a device
        stdout = file if output else subprocess.PIPE
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=stdout, stderr=subprocess.PIPE, check=False
        )


@pytest.mark.parametrize(
    "words", [("validate", "docs/examples"), ("render", "docs/examples"), ("explain",), ("schema", "export", "run")]
)
def test_a_full_disk_is_told_in_one_line(words: tuple[str, ...]) -> None:
    done = ordain(*words, output="/dev/full")
    assert (done.returncode, done.stderr) == (2, b"Error: No space left on device\n")


@pytest.mark.parametrize(
    "words",
    [
        ("render", str(ROOT / "docs/examples"), "--out"),
        ("schema", "export", "--out"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_bytes(b"")
    result = CliRunner().invoke(main, [*words, str(tmp_path / "file" / "below")])
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {tmp_path}/file/below")
    assert result.output.endswith(": Not a directory\n")
    assert result.output.count("\n") == 1


def test_ctrl_c_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("api.cli.validating.of_files", interrupted)
    assert CliRunner().invoke(main, ["validate", str(ROOT)]).exit_code == INTERRUPTED


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_a_plan_can_be_written_where_not_every_character_can(tmp_path: Path, form: str) -> None:
    for path, body in example_files().items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "All")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    tenant = tmp_path / "tenants/acme/tenant.yaml"
    text = tenant.read_text(encoding="utf-8")
    tenant.write_text(text.replace(DISPLAY_NAME, 'displayName: "Zürich → 東京"'), encoding="utf-8")
    done = ordain("plan", str(tmp_path), "--format", form, PYTHONIOENCODING="iso-8859-1", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Z\xfcrich \\u2192 \\u6771\\u4eac" in done.stdout
