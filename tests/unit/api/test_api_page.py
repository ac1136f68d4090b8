"""docs/api.md: it shows every route of the OpenAPI document, as that allows, and explains every refusal."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest

from api.http.problems import OF_PROBLEMS
from intents.catalogue import CATALOGUE
from tests.fixtures.write_world import application

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
API = "/api/v1"
ANY_HEADER = {"content-type", "accept"}
SIGNATURE = {"x-gitea-signature"}
"""Read from a webhook as it comes; the forge sets it."""

OF_THE_FRAMEWORK = {"method-not-allowed", "bad-request"}


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = application().openapi()
    return found


@dataclass(frozen=True)
class Example:
    """One call of the page's function `api`."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str | None

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def operation(self) -> tuple[str, str]:
        """Method and path of the OpenAPI document; the most literal path that fits."""
        path = API + unquote(urlsplit(self.target).path)
        fitting = [each for each in document()["paths"] if _pattern(each).fullmatch(path)]
        assert fitting, f"no route fits {self.method} {path}"
        return self.method, max(fitting, key=lambda each: len(re.sub(r"{.*?}", "", each)))


def _pattern(path: str) -> re.Pattern[str]:
    """Only `{path}` has more than one segment, and no name has a colon."""
    literals_and_names = re.split(r"{(\w+)}", path)
    parts = [
        re.escape(part) if at % 2 == 0 else ".+" if part == "path" else "[^/:]+"
        for at, part in enumerate(literals_and_names)
    ]
    return re.compile("".join(parts))


def examples(language: str) -> Iterator[Example]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for call in re.findall(r"^api (?:[^'\n]|'[^']*')*", "\n".join(blocks).replace("\\\n", ""), re.MULTILINE):
        yield _example(shlex.split(call)[1:])


def _example(words: list[str]) -> Example:
    method, target, *rest = words
    headers = dict(rest[at + 1].split(": ", 1) for at, word in enumerate(rest) if word == "-H")
    body = next((rest[at + 1] for at, word in enumerate(rest) if word == "-d"), None)
    return Example(method, target, headers, body)


EXAMPLES = tuple(examples("bash"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.method} {each.target}")
def test_an_example_is_what_the_document_allows(example: Example) -> None:
    method, path = example.operation
    operation = document()["paths"][path][method.lower()]
    known = {(each["in"], each["name"].lower()): each for each in operation["parameters"]}
    for name, value in example.query:
        assert ("query", name.lower()) in known, f"no parameter {name}"
        _holds(value, known["query", name.lower()]["schema"])
    for name in example.headers:
        assert ("header", name.lower()) in known or name.lower() in ANY_HEADER | SIGNATURE, f"no header {name}"
    required = {name for (place, name), each in known.items() if place == "query" and each["required"]}
    assert required <= {name.lower() for name, _ in example.query}
    if example.body is not None and "requestBody" in operation:
        schema = operation["requestBody"]["content"][example.headers["Content-Type"]]["schema"]
        _validate(json.loads(example.body), schema)
    else:
        assert not operation.get("requestBody", {}).get("required"), "the body is missing"


def _holds(value: str, schema: Mapping[str, Any]) -> None:
    """A parameter is text: it may stand for a number or a truth value."""
    forms: list[Any] = [value, [value]]
    if re.fullmatch(r"\d+(\.\d+)?|true|false", value):
        forms.append(json.loads(value))
    assert any(_is_valid(form, schema) for form in forms), f"{value} is not of {schema}"


def _validate(value: Any, schema: Mapping[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": document()["components"]}).validate(value)


def _is_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator({**schema, "components": document()["components"]}).is_valid(value))


def test_every_route_has_an_example() -> None:
    shown = {example.operation for example in EXAMPLES}
    there = {(method.upper(), path) for path, item in document()["paths"].items() for method in item}
    beside = {(method, path) for method, path in there if not path.startswith(API)}
    assert shown == there - beside
    assert all(f"`{method} {path}`" in PAGE for method, path in beside)


def test_every_refusal_is_explained() -> None:
    _, _, refusals = PAGE.partition("## Refusals")
    told = set(re.findall(r"^\| `([a-z-]+)` \| \d{3}(?:, \d{3})* \|", refusals, re.MULTILINE))
    made = {code for file in (ROOT / "api" / "http").glob("*.py") for code in _codes(ast.parse(file.read_text()))}
    assert made <= told | OF_PROBLEMS.keys()
    assert told <= made | OF_THE_FRAMEWORK
    assert OF_PROBLEMS.keys() <= CATALOGUE.keys()
    assert all(f"`{code}`" in refusals for code in OF_PROBLEMS)


def _codes(tree: ast.AST) -> Iterator[str]:
    """Yield the codes of the refusals that a module makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
            code = node.args[1]
            if isinstance(code, ast.Constant):
                yield str(code.value)
