"""The platform's status as the API serves it: looked at in a thread, seldom, and without other tenants' things."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

FRESH_SECONDS = 5.0
"""One look takes 0.25 s on two busy cores: it walks every process of the platform."""


class PlatformStatus:
    """Every part of the platform with its health, as `ordain status --json` prints it."""

    def __init__(self, collect: Callable[[], dict[str, Any]]) -> None:
        """Look by `collect`, which blocks."""
        self._collect = collect
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._found: dict[str, Any] = {}

    async def of_tenant(self, tenant: str) -> dict[str, Any]:
        """Return what there was a few seconds ago at most; of model servers and runs, only the tenant's own.

        A run's process is named by an id that does not tell whose it is, so none is shown.
        """
        async with self._looking:
            if time.monotonic() - self._looked_at > FRESH_SECONDS:
                self._found = await asyncio.to_thread(self._collect)
                self._looked_at = time.monotonic()
        return {**self._found, "served": servers_of(tenant, self._found.get("served") or ()), "runs": []}


def servers_of(tenant: str, served: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the model servers of a tenant; they are named `serve-<tenant>--<project>.<name>.<digest>`."""
    return [each for each in served if str(each.get("name", "")).startswith(f"serve-{tenant}--")]
