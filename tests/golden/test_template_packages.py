"""The shipped packages are what their sources compile to; `templates/compile.py` writes them anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CATALOGS = [ROOT / folder for folder in ("templates", "docs/examples/templates", "tests/fixtures/templates")]
TEMPLATES = [folder.parent for catalog in CATALOGS for folder in sorted(catalog.glob("*/*/pipeline.yaml"))]


def test_packages_are_compiled_from_the_sources_beside_them() -> None:
    command: list[str | Path] = [sys.executable, ROOT / "templates" / "compile.py", "--check", *CATALOGS]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda folder: folder.parent.name)
def test_a_template_describes_the_parameters_its_package_takes(template: Path) -> None:
    schema = yaml.safe_load((template / "template.yaml").read_text())["spec"]["parameters"]
    declared = _parameters(template)
    kinds = {"NUMBER_INTEGER": "integer", "NUMBER_DOUBLE": "number", "STRING": "string", "BOOLEAN": "boolean"}
    assert {name: kinds[item["parameterType"]] for name, item in declared.items()} == {
        name: item["type"] for name, item in schema["properties"].items()
    }
    for name, item in schema["properties"].items():
        inside = declared[name].get("defaultValue")
        assert item.get("default", inside) == inside


def _parameters(template: Path) -> dict[str, Any]:
    package = next(yaml.safe_load_all((template / "pipeline.yaml").read_bytes()))
    parameters: dict[str, Any] = package["root"]["inputDefinitions"]["parameters"]
    return parameters
