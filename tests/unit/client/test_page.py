"""The examples of docs/client.md, run as they stand there, on the real application."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.fixtures.served_world import served
from tests.fixtures.write_world import write_world

PAGE = Path(__file__).resolve().parents[3] / "docs" / "client.md"
ADDRESS = "http://acme.ml.localhost:8080"


def program() -> str:
    """Return the examples, each at its line of the page."""
    parts = re.split(r"^```(?:python)?\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return "\n".join(part if number % 2 else "\n" * part.count("\n") for number, part in enumerate(parts))


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    assert program().count(ADDRESS) == 1
    names: dict[str, Any] = {}
    with served(write_world(tmp_path)) as world:
        exec(compile(program().replace(ADDRESS, world.url()), str(PAGE), "exec"), names)  # noqa: S102 - of this repository
        body = names["client"].intents.get(names["path"]).content
    assert body == names["spec"] + b"# theirs\n# mine\n"
