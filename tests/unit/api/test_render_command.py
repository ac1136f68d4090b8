"""`ordain render` as a person calls it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from api.main import main
from renderers.canonical import to_yaml
from renderers.rendering import render_cluster
from tests.fixtures.examples import ROOT, example_files, example_tree

EXAMPLES = ROOT / "docs" / "examples"
CARD = "tenants/acme/projects/fraud/deployments/card.yaml"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["render", *map(str, words)])


def expected(cluster: str) -> dict[str, bytes]:
    return {path: to_yaml(each) for path, each in render_cluster(example_tree(), cluster).items()}


def files_in(folder: Path) -> dict[str, bytes]:
    found = (file for file in folder.rglob("*") if file.is_file() and file.name != ".ordain-rendered")
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}


def test_all_manifests_of_all_clusters_as_one_stream() -> None:
    result = run(EXAMPLES)
    assert result.exit_code == 0
    wanted = [yaml.safe_load(body) for cluster in ("burst", "main") for _, body in sorted(expected(cluster).items())]
    assert list(yaml.safe_load_all(result.stdout)) == wanted
    paths = [line.removeprefix("# ") for line in result.stdout.splitlines() if line.startswith("# ")]
    assert paths == sorted(paths)


def test_into_folders_as_on_the_rendered_branches(tmp_path: Path) -> None:
    result = run(EXAMPLES, "--out", tmp_path / "out")
    assert result.output == "".join(
        f"{tmp_path}/out/{cluster}: {len(expected(cluster))} manifests\n" for cluster in ("burst", "main")
    )
    for cluster in ("burst", "main"):
        assert files_in(tmp_path / "out" / cluster) == expected(cluster)


def test_what_is_wrong_in_an_intent_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "copy")
    body = b'apiVersion: ordain.dev/v1alpha1\nkind: Run\nspec: {template: a@1.0.0, attempt: "\\e]2;x\\a\\u202e"}\n'
    (tmp_path / "copy/tenants/acme/projects/fraud/runs/2026-11-23").mkdir(parents=True, exist_ok=True)
    (tmp_path / "copy/tenants/acme/projects/fraud/runs/2026-11-23/bad.yaml").write_bytes(body)
    result = run(tmp_path / "copy")
    assert result.exit_code == 1
    assert 'not the text "\ufffd]2;x\ufffd\ufffd"' in result.output
    assert all(line.isprintable() for line in result.output.splitlines())


def test_one_cluster_or_one_intent() -> None:
    one = run(EXAMPLES, "--cluster", "burst")
    assert len(list(yaml.safe_load_all(one.stdout))) == len(expected("burst"))
    for path in (CARD, CARD.replace(".yaml", ".rollout.yaml")):
        names = [each["metadata"]["name"] for each in yaml.safe_load_all(run(EXAMPLES, "--intent", path).stdout)]
        assert names
        assert all(name.startswith("card") for name in names)
    tenant = run(EXAMPLES, "--intent", "tenants/acme/tenant.yaml").stdout
    assert "kind: AppProject" in tenant
    assert "\nkind: InferenceService" not in tenant


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--cluster", "mian"), "There is no cluster mian; did you mean `main`?"),
        (("--intent", "tenants/nobody.yaml"), "no intent is there"),
        (("--intent", "platform/platform.yaml"), "a Platform stands for no manifests of its own here"),
        (("--cluster", "burst", "--intent", CARD), "a ModelDeployment stands for no manifests of its own here"),
        (("--ref", "nothing"), "there is no commit nothing"),
    ],
)
def test_what_cannot_be_asked_ends_with_2(words: tuple[str, ...], told: str) -> None:
    result = run(EXAMPLES, *words)
    assert result.exit_code == 2
    assert told in result.output


def laid_out(root: Path, files: dict[str, bytes]) -> Path:
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(body)
    return root


def test_the_same_bytes_in_any_order_and_process(tmp_path: Path) -> None:
    files = list(example_files().items())
    random.Random(1).shuffle(files)  # noqa: S311 - an order, no secret
    root = laid_out(tmp_path, dict(files))
    outputs = {
        subprocess.run(
            [sys.executable, "-m", "api.main", "render", str(root)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {run(EXAMPLES).stdout_bytes}


def test_intents_with_problems_are_not_rendered(tmp_path: Path) -> None:
    root = laid_out(tmp_path, {**example_files(), CARD: b"kind: ["})
    result = run(root)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {CARD}:2:1: yaml-syntax: ")
    assert "`ordain validate` tells all of it" in result.output


def test_what_renderers_cannot_take_is_told_as_a_problem(tmp_path: Path) -> None:
    files = {path: body for path, body in example_files().items() if path != "platform/platform.yaml"}
    result = run(laid_out(tmp_path, files))
    assert result.exit_code == 1
    assert "no-platform" in result.output


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(EXAMPLES, "--out", out)
    (out / "main" / "acme" / "fraud" / "inferenceservice-card-v1.yaml").write_text("edited\n")
    run(EXAMPLES, "--out", out, "--intent", CARD)
    assert all("card" in path for path in files_in(out / "main"))
    run(EXAMPLES, "--out", out)
    assert files_in(out / "main") == expected("main")
    assert sorted(each.name for each in out.iterdir()) == ["burst", "main"]


@pytest.mark.parametrize("foreign", ["main/notes.txt", "main/acme/fraud/own.yaml", "main"])
def test_what_others_wrote_is_never_removed(tmp_path: Path, foreign: str) -> None:
    out = tmp_path / "out"
    if foreign != "main":
        run(EXAMPLES, "--out", out)
    laid_out(out, {foreign: b"mine\n"})
    before = files_in(out)
    result = run(EXAMPLES, "--out", out, "--cluster", "main")
    assert result.exit_code == 2
    assert f"{out / foreign} was not written by ordain render" in result.output
    assert files_in(out) == before


def test_a_link_is_no_folder_of_its_own(tmp_path: Path) -> None:
    laid_out(tmp_path, {"precious/file.txt": b"mine\n", "out/.keep": b""})
    (tmp_path / "out" / "main").symlink_to(tmp_path / "precious")
    assert run(EXAMPLES, "--out", tmp_path / "out", "--cluster", "main").exit_code == 2
    assert (tmp_path / "precious" / "file.txt").read_bytes() == b"mine\n"


def test_what_a_crash_left_does_not_matter(tmp_path: Path) -> None:
    out = laid_out(tmp_path / "out", {".main.new/half": b"", ".main.old/half": b""})
    assert run(EXAMPLES, "--out", out, "--cluster", "main").exit_code == 0
    assert sorted(each.name for each in out.iterdir()) == ["main"]
