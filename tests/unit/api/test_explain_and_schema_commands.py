"""`ordain explain` and `ordain schema export`, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from api.main import main
from intents.schemas import export, rendered


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_explain_alone_lists_the_kinds() -> None:
    result = run("explain")
    assert result.exit_code == 0
    assert result.output.splitlines()[0].split() == ["KIND", "PATH", "WRITTEN", "BY"]


def test_explain_a_field() -> None:
    result = run("explain", "run.spec.tries")
    assert result.exit_code == 0
    assert "FIELD:       spec.tries <integer> -immutable-" in result.output
    assert "DEFAULT:     1" in result.output


def test_explain_recursively() -> None:
    assert "minRequests" in run("explain", "--recursive", "ModelDeployment").output


def test_what_is_not_there_is_a_usage_error() -> None:
    for words in (("explain", "rum"), ("explain", "run.templat"), ("schema", "export", "rum")):
        result = run(*words)
        assert result.exit_code == 2
        assert "did you mean" in result.output


def test_export_prints_one_schema() -> None:
    result = run("schema", "export", "model-version")
    assert json.loads(result.output) == export()["model-version.json"]


def test_export_writes_all_schemas(tmp_path: Path) -> None:
    folder = tmp_path / "platform" / "schemas"
    assert run("schema", "export", "--out", str(folder)).exit_code == 0
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        name: rendered(schema) for name, schema in export().items()
    }


def test_export_writes_one_schema(tmp_path: Path) -> None:
    assert run("schema", "export", "Run", "--out", str(tmp_path)).exit_code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_export_of_everything_needs_a_folder() -> None:
    result = run("schema", "export")
    assert result.exit_code == 2
    assert "--out DIR" in result.output
