"""`ordain new`, in a copy of the shipped tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.work_tree import tree_in
from api.main import main
from intents.checks import check
from intents.documents import of_spec
from intents.kinds import Kind, RunSpec, TemplateSpec
from intents.packages import check_package
from intents.reading import read
from intents.tree import Tree

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("platform", "tenants", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def new(root: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["new", *words, "--root", str(root)])


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("tenant", "umbrella"), Kind.TENANT),
        (("project", "acme/risk"), Kind.PROJECT),
        (("run", "acme/fraud/mine", "--template", "train-classifier"), Kind.RUN),
        (("schedule", "acme/fraud/mine", "--template", "hello@1.0.0", "--cron", "30 6 * * 1"), Kind.SCHEDULE),
        (("template", "mine", "1.0.0"), Kind.TEMPLATE),
        (("template", "mine", "1.0.0", "--image", "docker.io/library/python:3.11"), Kind.TEMPLATE),
        (("cluster", "spare"), Kind.CLUSTER),
        (("cluster", "far", "--driver", "kubernetes", "--repo-url", "https://git.example.com/s",
          "--kfp-endpoint", "http://ml-pipeline:8888"), Kind.CLUSTER),
    ],
)  # fmt: skip
def test_what_is_written_is_part_of_a_tree_without_problems(root: Path, words: tuple[str, ...], kind: Kind) -> None:
    before = tree_in(root)
    result = new(root, *words)
    assert result.exit_code == 0, result.output
    after = tree_in(root)
    written = set(after) - set(before)
    assert kind in {document.identity.kind for path in written if (document := after.get(path))}
    assert all(f"wrote {path}\n" in result.output for path in written)
    assert "\nnext: " in result.output
    assert check(Tree.empty(), after) == ()


def test_a_training_job_and_a_deployment_start_from_what_is_there(root: Path) -> None:
    examples = ROOT / "docs" / "examples"
    for folder in ("platform", "tenants", "templates"):
        shutil.copytree(examples / folder, root / "examples" / folder)
    for words in (
        ("training-job", "acme/search/mine", "--template", "finetune-encoder"),
        ("deployment", "acme/fraud/mine", "--model", "card"),
    ):
        result = new(root / "examples", *words)
        assert result.exit_code == 0, result.output
    assert check(Tree.empty(), tree_in(root / "examples")) == ()


def test_nothing_is_overwritten(root: Path) -> None:
    words = ("run", "acme/fraud/mine", "--template", "hello")
    assert new(root, *words).exit_code == 0
    path = f"tenants/acme/projects/fraud/runs/{datetime.now(UTC).date().isoformat()}/mine.yaml"
    (root / path).write_text("mine\n")
    result = new(root, *words)
    assert result.exit_code == 1
    assert f"{path} is there already" in result.output
    assert (root / path).read_text() == "mine\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "acme/fraud/Mine", "--template", "hello"), "`Mine` is no run name"),
        (("run", "acme/mine", "--template", "hello"), "`acme/mine` is not of the form TENANT/PROJECT/NAME"),
        (("run", "acme/fraud/mine", "--template", "helo"), "did you mean `hello`?"),
        (("template", "mine", "1.0"), "`1.0` is no template version"),
        (("cluster", "far", "--driver", "kubernetes"), "--repo-url"),
        (("cluster", "far", "--kfp-endpoint", "http://ml-pipeline"), "--driver kubernetes"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(root: Path, words: tuple[str, ...], said: str) -> None:
    before = set(tree_in(root))
    result = new(root, *words)
    assert result.exit_code == 2
    assert said in result.output
    assert set(tree_in(root)) == before


def test_what_would_be_refused_is_not_written(root: Path) -> None:
    before = set(tree_in(root))
    result = new(root, "run", "acme/frau/mine", "--template", "hello")
    assert result.exit_code == 1
    assert "unknown-project: tenant acme has no project frau (did you mean `fraud`?)" in result.output
    assert set(tree_in(root)) == before


def test_what_cannot_be_made_up_is_left_to_the_person(root: Path) -> None:
    template = root / "templates" / "hello" / "1.0.0" / "template.yaml"
    template.write_text(template.read_text().replace("default: world", 'pattern: "^s3://.+$"') + "\n")
    text = template.read_text().replace("    properties:", "    required: [echo]\n    properties:")
    template.write_text(text)
    result = new(root, "run", "acme/fraud/mine", "--template", "hello")
    assert result.exit_code == 0
    assert "to fill in: `echo`: " in result.output
    assert "does not match" in result.output


def test_a_started_template_is_compiled_and_sound(root: Path) -> None:
    assert new(root, "template", "mine", "1.0.0").exit_code == 0
    folder = root / "templates" / "mine" / "1.0.0"
    document = of_spec(tree_in(root).get("templates/mine/1.0.0/template.yaml"), TemplateSpec)
    assert document is not None
    assert check_package(document, (folder / "pipeline.yaml").read_bytes()) == ()
    command: list[str | Path] = [sys.executable, ROOT / "templates" / "compile.py", "--check", root / "templates"]
    subprocess.run(command, check=True, timeout=60)


def test_a_repository_begins_with_a_cluster(tmp_path: Path) -> None:
    assert new(tmp_path, "cluster", "local").exit_code == 0
    assert list(tree_in(tmp_path)) == ["platform/clusters/local.yaml"]


def test_a_run_of_a_template_starts_with_what_it_needs(root: Path) -> None:
    new(root, "run", "acme/fraud/mine", "--template", "hello")
    path = f"tenants/acme/projects/fraud/runs/{datetime.now(UTC).date().isoformat()}/mine.yaml"
    spec = read(path, (root / path).read_bytes()).spec
    assert isinstance(spec, RunSpec)
    assert spec.template == "hello@1.0.0"
