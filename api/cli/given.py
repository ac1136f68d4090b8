"""Documents that people give: from a file or standard input, and which version of an intent they were made of."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from api.cli.refusals import Unreadable
from api.cli.report_text import coloured
from api.client import ABSENT, Intent, Write
from api.problem_text import line_of, problem_lines
from intents.identity import Identity, identify
from intents.problems import InvalidIntent, Problem
from intents.writing import blob_id, dump_document

FILE = click.Path(exists=True, allow_dash=True, path_type=Path)
"""A file, a folder, or `-`."""
STANDARD_INPUT = Path("-")
_STAMP = re.compile(rb"# read from ordain: (?P<path>\S+) at (?P<commit>[0-9a-f]{40}), blob (?P<blob>[0-9a-f]{40})\r?\n")


def stamped(intent: Intent) -> bytes:
    """Return an intent with a first line that says which version it is: what is made of it is decided on that one."""
    return f"# read from ordain: {intent.path} at {intent.commit}, blob {intent.blob}\n".encode() + intent.content


@dataclass(frozen=True)
class Given:
    """One document, without the line that says which version it was made of."""

    file: str
    """How the person calls it."""
    content: bytes
    read: tuple[str, str] | None = None
    """Path and blob of what it was made of."""
    is_json: bool = False
    """It was given as JSON: lines of the content are not those of the file."""

    @property
    def read_from(self) -> Identity | None:
        """Which intent it was made of."""
        return identify(self.read[0]) if self.read else None

    def base(self, path: str) -> str | None:
        """Return the blob that it was made of, where that lay at `path`: it may be applied elsewhere."""
        return self.read[1] if self.read and self.read[0] == path else None

    def write(self, path: str, there: str | None) -> Write | None:
        """Return the write that brings it to `path`, where the blob `there` stands; None where it stands there."""
        if there == blob_id(self.content):
            return None
        return Write(path, self.content.decode(), self.base(path) or there or ABSENT)

    def told(self, problem: Problem) -> Iterator[str]:
        """Yield the lines that tell of a problem of it, at its place in the file."""
        if self.is_json or not problem.line:
            placeless = replace(problem, path=f"{self.file} {problem.field}".rstrip(), line=0)
            return problem_lines(placeless, self._line, style=coloured)
        there = replace(problem, path=self.file, line=problem.line + bool(self.read))
        return problem_lines(there, self._line, style=coloured)

    def _line(self, _: str, number: int) -> str:
        return line_of(self.content, number - bool(self.read))


def given(path: Path) -> Given:
    """Read a document from a file, or from standard input for `-`. Raises Unreadable."""
    if path == STANDARD_INPUT:
        return document_of("standard input", sys.stdin.buffer.read())
    try:
        return document_of(str(path), path.read_bytes())
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error


def document_of(file: str, body: bytes) -> Given:
    """Read a document that people call `file`. Raises Unreadable."""
    stamp = _STAMP.match(body)
    content = body[stamp.end() :] if stamp else body
    read = (stamp["path"].decode(), stamp["blob"].decode()) if stamp else None
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"{file} is no UTF-8: byte {error.start} is {error.object[error.start]:#04x}") from error
    as_yaml = _of_json(file, content) if content.lstrip().startswith(b"{") else None
    return Given(file, as_yaml or content, read, is_json=as_yaml is not None)


def _of_json(file: str, content: bytes) -> bytes | None:
    """Return a JSON document as YAML; None for what is no JSON: YAML may begin so, too."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    try:
        return dump_document(document)
    except InvalidIntent as invalid:
        raise Unreadable(f"{file}: {invalid.problems[0].message}") from invalid
