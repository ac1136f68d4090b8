"""`ordain validate` as a person, a workflow and git's hook call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.main import main
from tests.fixtures.examples import ROOT, example_files
from tests.property.test_fast_yaml import CORNERS

CARD = "tenants/acme/projects/fraud/deployments/card.yaml"
PLATFORM = "platform/platform.yaml"
EXAMPLES = example_files()
BAD = EXAMPLES[CARD].replace(b"runtime: triton", b"runtime: triton\n  runtim: triton")


def run(*words: str | Path, text: str | None = None, **environment: str) -> Result:
    return CliRunner().invoke(main, ["validate", *map(str, words)], input=text, env=environment)


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(root: Path, files: dict[str, bytes]) -> None:
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(body)


def commit(root: Path, files: dict[str, bytes]) -> str:
    write(root, files)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    """A repository with the examples in its first commit."""
    root = tmp_path / "intents"
    root.mkdir()
    git(root, "init", "--quiet")
    commit(root, EXAMPLES)
    return root


def test_what_is_shipped_has_no_problem() -> None:
    for folder in (ROOT, ROOT / "docs" / "examples"):
        result = run(folder)
        assert (result.exit_code, result.output.count("\n")) == (0, 1), result.output


def test_a_problem_is_shown_with_its_line(work_tree: Path) -> None:
    write(work_tree, {CARD: BAD})
    result = run(work_tree)
    assert result.exit_code == 1
    assert result.output.splitlines()[:4] == [
        f"{work_tree}/{CARD}:7:3: error[unknown-field]: `runtim` is no field here",
        "  7 |   runtim: triton",
        "    |   ^",
        "  hint: did you mean `runtime`?",
    ]


def test_paths_are_told_from_where_the_command_is_called(work_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(work_tree, {CARD: BAD})
    monkeypatch.chdir(work_tree)
    assert run().output.startswith(f"{CARD}:7:3: ")
    monkeypatch.chdir(work_tree.parent)
    assert run("intents", "--format", "github").output.startswith(f"::error file=intents/{CARD},line=7,col=3,")


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_forms_for_programs_hold_nothing_else(work_tree: Path, form: str) -> None:
    write(work_tree, {CARD: BAD})
    result = run(work_tree, "--format", form)
    assert result.exit_code == 1
    assert json.loads(result.output)
    assert result.output == run(work_tree, "--format", form).output


def test_a_commit_and_a_change_since_one(work_tree: Path) -> None:
    commit(work_tree, {CARD: EXAMPLES[CARD].replace(b"timeout: 2s", b"timeout: 3s")})
    rollout = CARD.replace(".yaml", ".rollout.yaml")
    write(work_tree, {rollout: EXAMPLES[rollout].replace(b"weight: 90", b"weight: 80"), "tenants/notes.txt": b""})
    assert run(work_tree, "--ref", "HEAD").exit_code == 0
    assert run(work_tree, "--ref", "HEAD", "--base", "HEAD^").exit_code == 0
    changed = run(work_tree, "--base", "HEAD", "--changed-only", "--format", "json")
    assert {each["code"] for each in json.loads(changed.output)["problems"]} == {"weights-sum", "misplaced-file"}


def test_what_a_change_may_not_do(work_tree: Path) -> None:
    model = "tenants/acme/projects/fraud/models/card/1.yaml"
    (work_tree / model).unlink()
    found = json.loads(run(work_tree, "--base", "HEAD", "--format", "json").output)["problems"]
    assert {(each["code"], each["path"]) for each in found} == {("in-use", model)}


def test_who_may_change_what(work_tree: Path) -> None:
    write(work_tree, {CARD: EXAMPLES[CARD].replace(b"timeout: 2s", b"timeout: 3s")})
    allowed = run(work_tree, "--base", "HEAD", "--as", "bob@acme.example,acme-ml")
    assert allowed.exit_code == 0
    refused = run(work_tree, "--base", "HEAD", "--as", "bob@globex.example,globex-ml")
    assert refused.exit_code == 1
    assert "error[forbidden]: bob@globex.example may not change this" in refused.output


def test_a_bare_repository(work_tree: Path, tmp_path: Path) -> None:
    commit(work_tree, {CARD: BAD})
    bare = tmp_path / "bare.git"
    git(work_tree, "clone", "--quiet", "--bare", ".", str(bare))
    assert run(bare).exit_code == 1
    assert run(bare, "--ref", "main^").exit_code == 0


def test_manifests_against_definitions(work_tree: Path) -> None:
    assert run(work_tree, "--crds", ROOT / "tests" / "fixtures" / "crds").exit_code == 0
    narrow = work_tree.parent / "crds"
    write(
        narrow,
        {"narrow.yaml": (ROOT / "tests/fixtures/crds/inferenceservices.yaml").read_bytes().replace(b"v1beta1", b"v1")},
    )
    result = run(work_tree, "--crds", narrow)
    assert result.exit_code == 1
    assert "error[invalid-manifest]: InferenceService card-v1 on main: apiVersion: " in result.output


@pytest.mark.parametrize(
    "words",
    [
        ("--changed-only",),
        ("--as", "ana@acme.example"),
        ("--stdin", "--base", "HEAD"),
        ("--stdin", "--ref", "HEAD"),
        ("--format", "xml"),
        ("--ref", "nothing"),
        ("--base", "HEAD~9"),
        ("--crds", "platform"),
        ("--crds", "tenants"),
        ("--ref", ""),
        ("--base", " "),
        ("--base", "HEAD", "--as", ""),
        ("nowhere",),
    ],
)
def test_what_cannot_be_asked_ends_with_2(
    work_tree: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    write(work_tree, {"platform/crds.yaml": b"kind: CustomResourceDefinition\napiVersion: x\n["})
    monkeypatch.chdir(work_tree)
    result = run(*words)
    assert result.exit_code == 2
    assert "Error: " in result.output
    assert "Traceback" not in result.output


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, work_tree: Path) -> None:
    for name in ("empty", "large"):
        (tmp_path / name / "tenants").mkdir(parents=True)
    (work_tree / "tenants" / os.fsdecode(b"caf\xe9.yaml")).write_bytes(b"")
    with (tmp_path / "large" / "tenants" / "data.bin").open("wb") as file:
        file.truncate(17 << 20)
    told = {
        tmp_path: "name the folder that holds platform/, tenants/, templates/ (",
        tmp_path / "empty": f"there are no intents in {tmp_path}/empty: name the folder",
        tmp_path / "large": "has more than 16 MiB",
        work_tree: "rename the file",
    }
    for folder, message in told.items():
        result = run(folder)
        assert result.exit_code == 2
        assert message in result.output
        assert result.output.count("\n") == 1


def test_a_commit_without_intents_is_no_repository_of_intents(work_tree: Path) -> None:
    (work_tree / "docs").mkdir()
    git(work_tree, "mv", "tenants", "platform", "templates", "docs")
    commit(work_tree, {"README.md": b"Intents are in docs/.\n"})
    for command in ("validate", "plan", "render"):
        for words in ((), ("--head", "HEAD") if command == "plan" else ("--ref", "HEAD")):
            result = CliRunner().invoke(main, [command, str(work_tree), *words])
            assert result.exit_code == 2
            assert "there are no intents in" in result.output
    assert run(work_tree / "docs").exit_code == 0
    assert run(work_tree, "--base", "HEAD^").exit_code == 1  # every intent is removed: that is a change


def hook(work_tree: Path, tmp_path: Path, *words: str, **environment: str) -> Path:
    """Return a bare repository whose hook pre-receive is `ordain validate`, and that the work tree pushes to."""
    bare = tmp_path / "bare.git"
    git(work_tree, "clone", "--quiet", "--bare", ".", str(bare))
    git(work_tree, "remote", "add", "origin", str(bare))
    script = bare / "hooks" / "pre-receive"
    says = "".join(f"export {name}={value}\n" for name, value in environment.items())
    script.write_text(f"#!/bin/sh\n{says}exec {sys.executable} -m api.main validate --stdin {' '.join(words)}\n")
    script.chmod(0o700)
    return bare


def push(work_tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["git", "push", "origin", *words]
    return subprocess.run(command, cwd=work_tree, env=environment, capture_output=True, text=True, check=False)


def test_the_hook_lets_in_what_is_right_and_keeps_out_what_is_not(work_tree: Path, tmp_path: Path) -> None:
    bare = hook(work_tree, tmp_path, "--changed-only")
    good = commit(work_tree, {CARD: EXAMPLES[CARD].replace(b"timeout: 2s", b"timeout: 3s")})
    assert push(work_tree, "main").returncode == 0
    commit(work_tree, {CARD: BAD})
    refused = push(work_tree, "main")
    assert refused.returncode != 0
    assert f"{CARD}:7:3: error[unknown-field]" in refused.stderr
    assert git(bare, "rev-parse", "main") == good
    assert push(work_tree, "main:refs/heads/proposal").returncode == 0
    removed = push(work_tree, "--delete", "main")
    assert removed.returncode != 0


def test_the_hook_asks_who_pushes(work_tree: Path, tmp_path: Path) -> None:
    hook(work_tree, tmp_path, "--changed-only", GL_USERNAME="ana@acme.example")
    commit(work_tree, {CARD: EXAMPLES[CARD].replace(b"timeout: 2s", b"timeout: 3s")})
    assert push(work_tree, "main").returncode == 0
    commit(work_tree, {".github/workflows/more.yml": b"on: push\n"})
    refused = push(work_tree, "main")
    assert refused.returncode != 0
    assert ".github/workflows/more.yml: error[forbidden]: ana@acme.example may not change this" in refused.stderr


def test_the_hook_is_told_what_git_never_says(work_tree: Path) -> None:
    for text in ("one two\n", "0 0 refs/heads/main\x00 x\n", f"{'a' * 40} {'b' * 40} refs/heads/main\n"):
        result = run(work_tree, "--stdin", text=text)
        assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert run(work_tree, "--stdin", text="").exit_code == 0


def test_it_starts_without_what_it_does_not_need() -> None:
    program = """if True:
        import sys
        from api.main import main
        main(["validate", "docs/examples", "--crds", "tests/fixtures/crds"], standalone_mode=False)
        heavy = {"fastapi", "kfp", "kubernetes", "psycopg", "nats", "obstore", "git", "pygit2", "httpx", "jinja2"}
        print(sorted(heavy & sys.modules.keys()))
    """
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    bodies=st.dictionaries(
        st.sampled_from([path for path in EXAMPLES if path.endswith(".yaml")]),
        st.binary(max_size=80)
        | st.lists(st.sampled_from(CORNERS), max_size=12).map(lambda parts: " ".join(parts).encode()),
        min_size=1,
        max_size=3,
    ),
    form=st.sampled_from(["text", "json", "sarif", "github"]),
)
def test_no_file_brings_it_down(bodies: dict[str, bytes], form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**EXAMPLES, **bodies})
        result = run(folder, "--format", form)
    assert result.exit_code in {0, 1}, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_edit_of_an_example_brings_it_down(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in EXAMPLES if path.endswith(".yaml")]))
    lines = EXAMPLES[path].split(b"\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(
        st.sampled_from([b"", lines[at] + b": x", lines[at].upper(), b"  " + lines[at], b"a: [" + lines[at]])
    )
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**EXAMPLES, path: b"\n".join(lines)})
        result = run(folder)
    assert result.exit_code in {0, 1}, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
