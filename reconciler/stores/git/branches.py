"""Branches of open changes in a git repository."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pygit2

from reconciler.ports.branches import OpenBranch

_CHANGE = re.compile(r"refs/(?:heads|remotes/[^/]+)/(change/.+)")


def open_branches(repository: pygit2.Repository, base: pygit2.Commit) -> Iterator[OpenBranch]:
    """Yield the branches `change/*` that `base` does not hold, by name."""
    # In reverse, so that what is here comes after what is at a remote, and counts.
    named = ((_CHANGE.fullmatch(ref), ref) for ref in sorted(repository.references, reverse=True))
    found = {match[1]: ref for match, ref in named if match}
    for name, ref in sorted(found.items()):
        tip = repository.references[ref].peel(pygit2.Commit).id
        fork: pygit2.Oid | None = repository.merge_base(base.id, tip)
        if fork is not None and fork != tip:
            yield OpenBranch(name, str(fork), str(tip))
