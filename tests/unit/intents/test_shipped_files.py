"""What the repository ships is valid, and what it generates is fresh."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from intents import reference
from intents.catalogue import CATALOGUE, to_markdown
from intents.checks import check
from intents.identity import identify, misplaced
from intents.kinds import SPECS
from intents.reading import read
from intents.schemas import export, file_name, rendered
from intents.tree import Tree
from intents.writing import blob_id, to_yaml
from tests.fixtures.trees import small_specs, small_tree

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "platform" / "schemas"
TOPS = ("platform", "tenants", "templates")
FILES = {str(file.relative_to(ROOT)): file for top in TOPS for file in sorted((ROOT / top).rglob("*.yaml"))}
INTENTS = {path: file for path, file in FILES.items() if identify(path)}


def test_the_shipped_tree_has_no_problem() -> None:
    documents = {path: read(path, file.read_bytes(), blob_id(file.read_bytes())) for path, file in INTENTS.items()}
    assert check(Tree.empty(), Tree.empty().advance(documents)) == ()
    assert [problem for path in FILES if (problem := misplaced(path))] == []


@pytest.mark.parametrize("path", INTENTS)
def test_shipped_intents_name_their_schema(path: str) -> None:
    first = INTENTS[path].read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    identity = identify(path)
    assert identity is not None
    schema = (INTENTS[path].parent / first.partition("=")[2]).resolve()
    assert schema == SCHEMAS / file_name(identity.kind)


def test_exported_schemas_are_fresh() -> None:
    """`ordain schema export --out platform/schemas` writes them anew."""
    wanted = {name: rendered(schema) for name, schema in export().items()}
    assert {file.name: file.read_text() for file in SCHEMAS.glob("*.json")} == wanted
    assert len(wanted) == len(SPECS)


def test_schemas_accept_what_the_reader_accepts() -> None:
    tree = small_tree()
    for path in small_specs():
        document = tree.get(path)
        assert document is not None
        schema = json.loads(rendered(export()[file_name(document.identity.kind)]))
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(yaml.safe_load(document.body))


def test_the_page_of_problems_is_fresh() -> None:
    """`python -m intents.catalogue docs/reference/problems.md` writes it anew."""
    assert (ROOT / "docs" / "reference" / "problems.md").read_text() == to_markdown()


def test_the_page_of_kinds_is_fresh() -> None:
    """`python -m intents.reference docs/reference/kinds.md` writes it anew."""
    assert (ROOT / "docs" / "reference" / "kinds.md").read_text() == reference.to_markdown()


def test_every_code_used_is_in_the_catalogue() -> None:
    used = set(_codes(ROOT / "intents", {"Problem", "problem", "refuse", "_find", "_stop", "Finding", "_still"}))
    used |= {code for top in ("renderers", "reconciler", "api") for code in _codes(ROOT / top, {"Problem", "problem"})}
    assert used - CATALOGUE.keys() == set()
    assert len(used) > 30


def _codes(folder: Path, makers: set[str]) -> Iterator[str]:
    """Yield the first argument of every call that makes a problem, where it is a plain text."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and _called(node) in makers:
                texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
                yield from (text for text in texts[:1] if isinstance(text, str) and " " not in text and text)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_written_yaml_is_the_same_in_any_order() -> None:
    assert to_yaml({"b": 1, "a": [2, {"d": "no", "c": "1e3"}]}, sort_keys=True) == (
        b'a:\n- 2\n- c: "1e3"\n  d: "no"\nb: 1\n'
    )
