"""The runs that a commit asks for."""

from __future__ import annotations

from uuid import UUID

from intents.identity import identify
from intents.kinds.base import Kind
from intents.problems import InvalidIntent
from intents.reading import read
from reconciler.planning.run_admission import admitted_run
from reconciler.planning.runs import RunRow
from reconciler.ports.repository import Change, CommitInfo, Repository


def runs_of(repository: Repository, uid: UUID, commit: CommitInfo) -> tuple[list[RunRow], list[str]]:
    """Return the attempts asked for since a commit's parent, and the paths of runs that were removed. Blocks."""
    changes = [change for change in repository.changes(commit.parent, commit.id) if _is_run(change.path)]
    removed = [change.path for change in changes if change.blob is None]
    return [row for change in changes if (row := _row(repository, uid, change, commit))], removed


def _row(repository: Repository, uid: UUID, change: Change, commit: CommitInfo) -> RunRow | None:
    if change.blob is None:
        return None
    try:
        document = read(change.path, repository.blob(change.blob), change.blob)
    except InvalidIntent:
        return None  # it came past the writer, and whoever follows the tree says so
    return admitted_run(uid, document, commit.id, commit.asked_by)


def _is_run(path: str) -> bool:
    identity = identify(path)
    return identity is not None and identity.kind is Kind.RUN
