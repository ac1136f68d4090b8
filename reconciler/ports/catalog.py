"""Port: the catalog of templates, as the workers read it."""

from __future__ import annotations

from typing import Protocol


class Catalog(Protocol):
    """Serves packages as they were at a commit, so that a run executes what was checked."""

    async def package(self, tenant: str, template: str, commit: str) -> bytes:
        """Return the package of `name@version`, its sha256 verified against the template.

        Raises Waiting while the catalog cannot answer, LookupError where there is no such template.
        """
        ...
