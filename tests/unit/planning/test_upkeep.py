"""What a repository needs, from its counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.planning.upkeep import FEW_PACKS, MOST_LOOSE, MOST_PACKS, REST, Chore, StoreState, chores

MINUTE = timedelta(minutes=1)
REPACK = (Chore.REPACK, Chore.GRAPH)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (StoreState(1, 0, 0, None), ()),
        (StoreState(MOST_PACKS - 1, MOST_LOOSE - 1, 0, MINUTE), ()),
        (StoreState(MOST_PACKS, 0, 0, MINUTE), REPACK),
        (StoreState(1, MOST_LOOSE, 0, MINUTE), REPACK),
        (StoreState(FEW_PACKS, 0, 0, MINUTE), ()),
        (StoreState(FEW_PACKS, 0, 0, None), REPACK),
        (StoreState(FEW_PACKS, 0, 0, REST), REPACK),
        (StoreState(FEW_PACKS - 1, 0, 0, REST), ()),
        (StoreState(1, 0, 1, MINUTE), (Chore.SWEEP,)),
        (StoreState(MOST_PACKS, 0, 3, MINUTE), (Chore.SWEEP, *REPACK)),
    ],
)
def test_chores_follow_from_the_counts(state: StoreState, wanted: tuple[Chore, ...]) -> None:
    assert chores(state) == wanted
