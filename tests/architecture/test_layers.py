"""The rules of the house that a tool can hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from setup import WHAT_STARTS

ROOT = Path(__file__).parents[2]
HEAVY = ("kfp", "kubernetes")


def test_imports_go_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_package_hides_the_platform_module() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists(), "it would hide the standard library's module"


@pytest.mark.parametrize("module", WHAT_STARTS)
def test_the_heavy_clients_are_not_imported_at_start(module: str) -> None:
    asks = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda lock: lock.name)
def test_every_locked_file_has_a_hash_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    entries = [line for line in text.splitlines() if line and line[0] not in "# "]
    assert entries
    assert all(line.endswith("\\") for line in entries), "a requirement without a hash"
    assert "://" not in text, "an index or a file named by its address"
