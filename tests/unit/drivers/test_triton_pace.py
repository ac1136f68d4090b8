from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.drivers.local.triton_server import Pace


def test_the_first_failure_is_tried_again_at_once() -> None:
    assert [Pace().wait_after(failures) for failures in range(6)] == [0, 0, 1, 2, 4, 8]


@given(st.integers(min_value=0, max_value=10**6))
def test_waits_grow_to_their_bound(failures: int) -> None:
    pace = Pace()
    assert pace.wait_after(failures) <= pace.wait_after(failures + 1) <= pace.longest_wait
