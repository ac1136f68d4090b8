"""What one commit changed, as far as it is one tenant's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from api.line_diff import hunks
from intents.identity import Identity, identify
from reconciler.planning.events import Event
from reconciler.ports.repository import Change, CommitInfo, Repository

SOURCE = "Ordain-Source"
"""Trailer of a commit of rendered manifests: the commit of main it was rendered from."""
METADATA = "hydrator.metadata"
RENDERED = "rendered"
"""In an event of a deployment: the commit of its manifests."""


@dataclass(frozen=True)
class ChangedPath:
    """One changed intent or rendered file; `diff` is of unified form, without its header."""

    path: str
    title: str
    verb: str
    diff: tuple[str, ...]


@dataclass(frozen=True)
class CommitPage:
    """One commit; of one that touches others too, only what any member may know is said."""

    id: str
    at: datetime
    subject: str
    author: str
    on_behalf_of: str
    cause: str
    change: str
    """The change that it merges."""
    approved_by: str
    source: str
    """For rendered manifests: the commit of main, where it is the tenant's too."""
    changes: tuple[ChangedPath, ...]


def commit_page(repository: Repository, tenant: str, commit: str) -> CommitPage | None:
    """Return what a commit changed of a tenant; None where it is none of theirs. Blocks."""
    try:
        info = repository.info(commit)
        changes = repository.changes(info.parent, commit)
    except (KeyError, ValueError):
        return None
    theirs = _theirs(tenant, info, changes)
    if not theirs:
        return None
    source = next(iter(info.trailers.get(SOURCE, ())), "")
    # The subject of rendered manifests names the newest intent, which may be another's.
    alone = not source and len(theirs) == len(changes)
    return _page(repository, info, theirs, alone=alone, source=source if may_read(repository, tenant, source) else "")


def may_read(repository: Repository, tenant: str, commit: str) -> bool:
    """Say whether a tenant has a page for a commit. Blocks."""
    try:
        info = repository.info(commit)
        return bool(_theirs(tenant, info, repository.changes(info.parent, commit)))
    except (KeyError, ValueError):
        return False


def with_readable_commits(repository: Repository, tenant: str, events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the events without the ids of commits that the tenant cannot read. Blocks, for 0.2 ms a commit.

    The branch of rendered manifests is everyone's: its newest commit, which events name, may be another's.
    """
    named = {commit for event in events for commit in (event.fact.commit, _rendered(event))} - {""}
    readable = {commit for commit in named if may_read(repository, tenant, commit)}
    return tuple(_naming_only(readable, event) for event in events)


def _naming_only(readable: Collection[str], event: Event) -> Event:
    fact = event.fact
    data = {key: value for key, value in fact.data.items() if key != RENDERED or value in readable}
    return replace(event, fact=replace(fact, commit=fact.commit if fact.commit in readable else "", data=data))


def _rendered(event: Event) -> str:
    return str(event.fact.data.get(RENDERED, ""))


def _theirs(tenant: str, info: CommitInfo, changes: Sequence[Change]) -> list[Change]:
    """Return a tenant's part: its intents on main, or the manifests in its folder of a rendered branch."""
    if SOURCE not in info.trailers:
        return [change for change in changes if _is_of(identify(change.path), tenant)]
    mine = (change for change in changes if change.path.startswith(f"{tenant}/"))
    return [change for change in mine if not change.path.endswith(METADATA)]


def _page(
    repository: Repository, info: CommitInfo, changes: Sequence[Change], *, alone: bool, source: str = ""
) -> CommitPage:
    return CommitPage(
        id=info.id,
        at=info.at,
        subject=info.subject
        if alone
        else "Manifests rendered"
        if SOURCE in info.trailers
        else "Changed by the platform",
        author=info.author.name if alone else "",
        on_behalf_of=", ".join(info.trailers.get("Ordain-On-Behalf-Of", ())) if alone else "",
        cause=", ".join(info.trailers.get("Ordain-Cause", ())) if alone else "",
        change=", ".join(info.trailers.get("Ordain-Change", ())) if alone else "",
        approved_by=", ".join(info.trailers.get("Ordain-Approved-By", ())) if alone else "",
        source=source,
        changes=tuple(_changed(repository, info, change) for change in changes),
    )


def _changed(repository: Repository, info: CommitInfo, change: Change) -> ChangedPath:
    before = repository.read(info.parent, change.path) if info.parent else None
    after = repository.blob(change.blob) if change.blob else None
    verb = "removed" if after is None else "added" if before is None else "changed"
    return ChangedPath(change.path, _title(change.path), verb, tuple(hunks(before, after)))


def _title(path: str) -> str:
    identity = identify(path)
    if identity is None:
        return path.rpartition("/")[2]
    version = f"@{identity.version}" if identity.version else ""
    return f"{identity.kind.value} {identity.name}{version}"


def _is_of(identity: Identity | None, tenant: str) -> bool:
    return identity is not None and identity.tenant == tenant
