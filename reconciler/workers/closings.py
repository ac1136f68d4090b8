"""What commits on main mean for the ledger, read from git alone: the same after a crash as before one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from intents.identity import Identity, identify
from intents.names import PLATFORM_TENANT
from intents.reading import labels_of
from reconciler.planning.changes import ID_PATTERN, ChangeId
from reconciler.planning.events import committed_fact
from reconciler.planning.idempotency import RequestKey
from reconciler.ports.changes import Merged
from reconciler.ports.repository import Change, CommitInfo, Repository
from reconciler.ports.requests import Closing, Projected


def closings_of(repository: Repository, commits: Iterable[CommitInfo]) -> Iterator[Closing]:
    """Yield what commits mean, in order; what a merge brings in answers requests, the merge tells what differs. Blocks.

    Of a main whose home is a forge, people write trailers too: what makes no sense in them is not there.
    """
    for commit in commits:
        for beside in repository.merged(commit):
            yield replace(_closing(repository, beside), projected=(), facts=())
        yield _closing(repository, commit)


def _closing(repository: Repository, commit: CommitInfo) -> Closing:
    request = _request_of(commit)
    cause = str(request or "")
    changes = repository.changes(commit.parent, commit.id)
    known = [(identity, change) for change in changes if (identity := identify(change.path))]
    return Closing(
        commit=commit.id,
        at=commit.at,
        author=commit.asked_by,
        request=request,
        paths=tuple(change.path for change in changes),
        projected=tuple(_projected(repository, who, item) for who, item in known),
        subject=commit.subject,
        key=RequestKey.from_trailer(_first(commit, "Ordain-Key")),
        merged=_merged(commit),
        facts=tuple(committed_fact(who, item.path, item.blob, commit.id, cause) for who, item in known),
    )


def _projected(repository: Repository, who: Identity, change: Change) -> Projected:
    tenant = who.tenant or PLATFORM_TENANT
    labels = labels_of(change.path, repository.blob(change.blob)) if change.blob else {}
    return Projected(change.path, tenant, who.project, who.kind.value, who.name, change.blob, labels)


def _request_of(commit: CommitInfo) -> UUID | None:
    with suppress(ValueError):
        return UUID(_first(commit, "Ordain-Request"))
    return None


def _merged(commit: CommitInfo) -> Merged | None:
    match commit.trailers:
        case {"Ordain-Change": (change,), "Ordain-Merged-By": (by,)} if re.fullmatch(ID_PATTERN, change):
            return Merged(ChangeId(change), by)
    return None


def _first(commit: CommitInfo, trailer: str) -> str:
    return next(iter(commit.trailers.get(trailer, ())), "")
