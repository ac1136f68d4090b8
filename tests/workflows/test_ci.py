"""ci.yml, validate.yml and plan.yml on pull requests of this repository, run by act.

ci.yml runs these very tests, so here its jobs get a `make` that only says what was asked of it; linting
is done for real, in a copy of this checkout with this checkout's tools.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.act import BIN, ROOT, Act, pull_request, repository_of, this_checkout

NOTHING = {"docs/note.md": b"A note.\n"}
BADLY_STYLED = {"intents/untidy.py": b"import os\nx=1\n"}


def test_ci_asks_for_style_types_and_all_tests(act: Act, tmp_path: Path) -> None:
    repository = repository_of(tmp_path / "ordain", {".github/workflows/ci.yml": ci()})
    asked = tmp_path / "asked"
    note = f'echo "$(basename "$0") $* ${{ORDAIN_REQUIRE_ALL-}}" | xargs >> "{asked}"'
    ran = act.run(repository, event=pull_request(repository, NOTHING), commands={"make": note, "sudo": note})
    assert ran.succeeded, ran.output
    lines = asked.read_text().splitlines()
    assert sorted(line for line in lines if line.startswith("make")) == ["make lint", "make test 1", "make types"]
    assert any("apt-get install" in line and "libpython3.12" in line for line in lines)


def test_lint_passes_as_it_stands_and_fails_on_bad_style(act: Act, tmp_path: Path) -> None:
    repository = repository_of(tmp_path / "ordain", this_checkout())
    # `make lint`, with this checkout's environment in place of one that is built first.
    env = {"MAKEFLAGS": f" -- PYTHON=true BIN={BIN}"}
    words = ("--workflows", ".github/workflows/ci.yml", "--job", "lint")
    good = act.run(repository, *words, event=pull_request(repository, NOTHING), env=env)
    assert good.succeeded, good.output
    assert "All checks passed!" in good.output
    assert "0 broken" in good.output
    bad = act.run(repository, *words, event=pull_request(repository, BADLY_STYLED), env=env)
    assert not bad.succeeded
    assert "intents/untidy.py" in bad.output


def test_this_repositorys_own_pull_requests_are_validated(act: Act, tmp_path: Path) -> None:
    repository = repository_of(tmp_path / "ordain", this_checkout())
    words = ("--workflows", ".github/workflows/validate.yml")
    ran = act.run(repository, *words, event=pull_request(repository, NOTHING))
    assert ran.succeeded, ran.output
    assert act.uploaded.exists()


def ci() -> bytes:
    return (ROOT / ".github" / "workflows" / "ci.yml").read_bytes()
