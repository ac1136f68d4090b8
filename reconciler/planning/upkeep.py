"""What a repository needs for its upkeep, decided from what can be counted at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

MOST_PACKS = 100
"""Every batch of writes brings a pack. Reads of 100 take no longer than of one; 100 of 50 commits each are rolled into
one in a second of CPU time, so that a writer at 500 commits a second costs a tenth of a core in upkeep."""
MOST_LOOSE = 2_000
FEW_PACKS = 10
REST = timedelta(days=1)
"""After this, even few packs are rolled together."""


class Chore(StrEnum):
    """One thing to do, in the order in which they are done."""

    SWEEP = "sweep"
    """Remove what killed processes left: half-written packs, lock files, reports."""
    REPACK = "repack"
    """Roll small packs and loose objects into larger packs, each at least twice the next, under one index."""
    GRAPH = "graph"
    """Bring the commit-graph, with the paths each commit changed, up to the newest commits."""


@dataclass(frozen=True)
class StoreState:
    """What can be counted in a repository."""

    packs: int
    loose: int
    """Objects in files of their own."""
    leftovers: int
    """Files that nobody writes any more and that no finished write would have left."""
    rested: timedelta | None
    """Since packs were last rolled together; None where they never were."""


def chores(state: StoreState) -> tuple[Chore, ...]:
    """Return what is to be done now. Doing it makes the answer empty, so whoever asks again and again ends."""
    found = [Chore.SWEEP] if state.leftovers else []
    if _wants_repack(state):
        found += [Chore.REPACK, Chore.GRAPH]
    return tuple(found)


def _wants_repack(state: StoreState) -> bool:
    rested = state.rested is None or state.rested >= REST
    return state.packs >= MOST_PACKS or state.loose >= MOST_LOOSE or (rested and state.packs >= FEW_PACKS)
