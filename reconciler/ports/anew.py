"""Port: the ledger, where it is made anew from git and storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.planning.past_runs import PastRun
from reconciler.planning.runs import RunRow
from reconciler.ports.requests import Closing


class LedgerAnew(Protocol):
    """Each is one transaction, beside a writer at work: that one closes nothing any more and begins anew from it."""

    async def found(self) -> str | None:
        """Return the commit of main that the ledger found when it was made; None where both began together."""
        ...

    async def project(self, closings: Sequence[Closing], head: str) -> None:
        """Forget the projection and make it, with answers and events, from all that led to `head`."""
        ...

    async def recall(self, past: Sequence[PastRun], upto: str) -> Sequence[PastRun]:
        """Add the runs that the ledger does not know, return them; without a cursor, runs are walked on from `upto`."""
        ...

    async def adopt(
        self, closings: Sequence[Closing], head: str, runs: Sequence[RunRow], removed: Sequence[str]
    ) -> Sequence[RunRow]:
        """Go on from `head`, which does not descend from what was closed; return the runs whose uid was not known."""
        ...
