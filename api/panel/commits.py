"""What one commit changed, as far as it is one tenant's."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from intents.identity import Identity, identify
from reconciler.ports.repository import Change, CommitInfo, Repository

SOURCE = "Ordain-Source"
"""Trailer of a commit of rendered manifests: the commit of main it was rendered from."""
METADATA = "hydrator.metadata"


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
    if SOURCE in info.trailers:
        return _rendered(repository, tenant, info, changes)
    theirs = [change for change in changes if _is_of(identify(change.path), tenant)]
    if not theirs:
        return None
    return _page(repository, info, theirs, alone=len(theirs) == len(changes))


def _rendered(repository: Repository, tenant: str, info: CommitInfo, changes: Sequence[Change]) -> CommitPage | None:
    """Manifests lie in folders of tenants; the subject names the newest intent, which may be another's."""
    theirs = [
        change for change in changes if change.path.startswith(f"{tenant}/") and not change.path.endswith(METADATA)
    ]
    if not theirs:
        return None
    source = info.trailers[SOURCE][0]
    known = commit_page(repository, tenant, source) is not None
    return _page(repository, info, theirs, alone=False, source=source if known else "")


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
        source=source,
        changes=tuple(_changed(repository, info, change) for change in changes),
    )


def _changed(repository: Repository, info: CommitInfo, change: Change) -> ChangedPath:
    before = repository.read(info.parent, change.path) if info.parent else None
    after = repository.blob(change.blob) if change.blob else None
    verb = "removed" if after is None else "added" if before is None else "changed"
    return ChangedPath(change.path, _title(change.path), verb, tuple(_diff(before or b"", after or b"")))


def _diff(before: bytes, after: bytes) -> Iterator[str]:
    old, new = (body.decode(errors="replace").splitlines() for body in (before, after))
    lines = difflib.unified_diff(old, new, n=3, lineterm="")
    return (line for line in lines if not line.startswith(("---", "+++")))


def _title(path: str) -> str:
    identity = identify(path)
    if identity is None:
        return path.rpartition("/")[2]
    version = f"@{identity.version}" if identity.version else ""
    return f"{identity.kind.value} {identity.name}{version}"


def _is_of(identity: Identity | None, tenant: str) -> bool:
    return identity is not None and identity.tenant == tenant
