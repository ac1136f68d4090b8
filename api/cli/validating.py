"""What `ordain validate` does: from the files it looks at to a report."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from api.cli.refusals import Unreadable
from api.cli.report import Report
from api.composition import snapshots
from api.problem_text import line_of
from intents.authority import Principal
from intents.problems import Problem, Severity
from reconciler.planning import validation
from reconciler.planning.validation import Question
from renderers.crds import CrdSet, NoDefinition

PUSHERS = ("GL_USERNAME", "GITEA_PUSHER_NAME", "REMOTE_USER")
"""Where GitLab, Gitea and git's own HTTP backend tell a hook who pushes."""


def of_push(directory: Path, who: str | None, *, only_changed: bool) -> Question | None:
    """Ask about a push, told on standard input; None where it brings no intents. Raises Stalled."""
    sight = snapshots.push(directory, sys.stdin.buffer)
    pusher = next((os.environ[name] for name in PUSHERS if os.environ.get(name)), None)
    return _question(sight, who or pusher, only_changed=only_changed) if sight else None


def of_files(directory: Path, ref: str | None, base: str | None, who: str | None, *, only_changed: bool) -> Question:
    """Ask about a folder or a commit. Raises Stalled."""
    return _question(snapshots.sight(directory, ref, base), who, only_changed=only_changed)


def problems_of(question: Question, crds: CrdSet | None) -> tuple[Problem, ...]:
    """Answer. Manifests are held against the definitions where there is no other error."""
    problems = validation.validate(question)
    if crds is None or any(each.severity is Severity.ERROR for each in problems):
        return problems
    from reconciler.planning.manifest_validation import validate_manifests  # noqa: PLC0415 - it loads all renderers

    return validation.in_order((*problems, *validate_manifests(question, crds)))


def definitions_in(folder: Path) -> CrdSet:
    """Read the CustomResourceDefinitions of a folder. Raises Unreadable."""
    try:
        files = (file for file in sorted(folder.rglob("*")) if file.suffix in {".yaml", ".yml"})
        found = CrdSet.load(file.read_bytes() for file in files)
    except (NoDefinition, OSError) as error:
        raise Unreadable(f"the definitions in {folder} cannot be read: {error}") from error
    if not found.definitions:
        raise Unreadable(f"there is no CustomResourceDefinition in the .yaml and .yml files of {folder}")
    return found


def report_of(question: Question, problems: tuple[Problem, ...], seconds: float, root: str) -> Report:
    """Return the answer with all that a form may show of it."""
    line, left_open = partial(_line, question), validation.left_open(question)
    return Report(len(question.head.tree), problems, seconds, line, left_open, root)


def _question(sight: snapshots.Sight, who: str | None, *, only_changed: bool) -> Question:
    before, after = sight.states()
    user, *groups = (who or "").split(",")
    principal = Principal(user, frozenset(groups)) if user else None
    return Question(after, sight.body, before, only_changed, principal, sight.beside)


def _line(question: Question, path: str, number: int) -> str:
    return line_of(question.body(path), number) if path in question.head.blobs else ""
