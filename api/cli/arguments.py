"""What several commands are given: folders, commits and people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class _Said(click.ParamType[str]):
    """A text that cannot be empty: what a script left empty must not be taken for an option that was left out."""

    def __init__(self, name: str, hint: str) -> None:
        self.name = name
        self._hint = hint

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail(f"it is empty: {self._hint}", param, ctx)
        return str(value)


REF = _Said("ref", "name a commit, or leave the option out")
PERSON = _Said("person", "name a person, or leave the option out")
