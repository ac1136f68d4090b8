"""The plain way to check a repository of YAML, for comparison: PyYAML, jsonschema, and git for what changed.

A program: `python -m tests.bench.plain_validation DIR SCHEMAS`. It checks each document against the JSON Schema of its
kind, and nothing across documents.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator


def main(root: Path, schemas: Path) -> int:
    """Return how many documents are not what the schema of their kind asks for."""
    known = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in schemas.glob("*.json")}
    validators = {schema["properties"]["kind"]["const"]: Draft202012Validator(schema) for schema in known.values()}
    subprocess.run(["git", "diff", "--name-only", "HEAD"], cwd=root, check=True, stdout=subprocess.DEVNULL)
    wrong = 0
    for file in sorted(root.rglob("*.yaml")):
        if file.name == "pipeline.yaml":
            continue
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        wrong += not validators[document["kind"]].is_valid(document)
    return wrong


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
