"""What differs between two texts, line by line; people write both, and no two of them take long.

Format: GNU diffutils, "Detailed Description of Unified Format".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from itertools import takewhile

MOST_LINES = 2_000
"""That are compared one by one, of both texts together: difflib takes 0.1 s for the worst of so many, 38 s for eight
times as many, and hours for two documents of 256 KiB."""


def unified(old: bytes | None, new: bytes | None, was: str, now: str) -> str:
    """Return what leads from `old`, called `was`, to `new`, called `now`; empty where nothing does."""
    found = "".join(f"{line}\n" for line in hunks(old, new))
    return f"--- {was}\n+++ {now}\n{found}" if found else ""


def hunks(old: bytes | None, new: bytes | None) -> Iterator[str]:
    """Yield the lines of the same without its head.

    What lies between the first and the last line that differ is one block where it is longer than MOST_LINES.
    """
    before, after = ((text or b"").decode(errors="replace").splitlines() for text in (old, new))
    for group in _Lines(before, after).get_grouped_opcodes():
        (_, first_old, _, first_new, _), (_, _, last_old, _, last_new) = group[0], group[-1]
        yield f"@@ -{_range(first_old, last_old)} +{_range(first_new, last_new)} @@"
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                yield from (f" {line}" for line in before[old_from:old_to])
                continue
            yield from (f"-{line}" for line in before[old_from:old_to])
            yield from (f"+{line}" for line in after[new_from:new_to])


class _Lines(SequenceMatcher[str]):
    """Matches what is the same at both ends first, and no more in between than takes a bounded time."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new)
        self._old, self._new = old, new

    def get_matching_blocks(self) -> list[Match]:
        old, new = self._old, self._new
        head = _same(old, new)
        tail = _same(old[head:][::-1], new[head:][::-1])
        ends = len(old) - tail, len(new) - tail
        between = _matches(old[head : ends[0]], new[head : ends[1]])
        moved = [Match(head + each.a, head + each.b, each.size) for each in between]
        return [Match(0, 0, head), *moved, Match(*ends, tail), Match(len(old), len(new), 0)]


def _same(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many lines both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _matches(old: Sequence[str], new: Sequence[str]) -> Sequence[Match]:
    if not old or not new or len(old) + len(new) > MOST_LINES:
        return ()
    return SequenceMatcher(None, old, new).get_matching_blocks()[:-1]


def _range(start: int, end: int) -> str:
    """Return lines by the first of them and their count; of none, the line before."""
    count = end - start
    return f"{start + 1}" if count == 1 else f"{start + (count > 0)},{count}"
